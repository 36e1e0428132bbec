-- What a node must know to decide what to do: ARGV node
--   -> OK epoch st mem groups place(the node's J, "" if it has not joined) boot filled(1: "*" has joined)
--    | ROLLED epoch mem | GONE | REPLICA
local node = ARGV[1]
local m, wrong = look(nil, 'mem', 'groups', 'J:' .. node, 'boot:' .. node, 'J:*')
if wrong then
  if wrong[1] == 'ROLLED' then wrong[3] = redis.call('HGET', M, 'mem') end
  return wrong
end
return {'OK', tonumber(m[1]), m[3], m[4], tonumber(m[5]), m[6] or '', m[7] or '', m[8] and 1 or 0}

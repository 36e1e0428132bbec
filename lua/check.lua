-- What a node must know to decide what to do: ARGV node
--   -> OK epoch st mem place(the node's J, "" if it has not joined) boot filled(1: "*" has joined)
--    | ROLLED epoch mem | GONE | REPLICA
local node = ARGV[1]
local m, wrong = look(nil, 'mem', 'J:' .. node, 'boot:' .. node, 'J:*')
if wrong then
  if wrong[1] == 'ROLLED' then wrong[3] = redis.call('HGET', M, 'mem') end
  return wrong
end
return {'OK', tonumber(m[1]), m[3], m[4], m[5] or '', m[6] or '', m[7] and 1 or 0}

-- The state from which a node decides its next step: ARGV node, and beat(1: this is a sign of its life too)
--   -> OK epoch st mem groups layout(the node's J, "" if it has not joined) boot filled(1: "*" has joined)
--    | ROLLED epoch mem | GONE | REPLICA
local node = ARGV[1]
local m, wrong = look(nil, 'mem', 'groups', 'J:' .. node, 'boot:' .. node, 'J:*', 's:' .. node)
if wrong then
  if wrong[1] == 'ROLLED' then wrong[3] = redis.call('HGET', M, 'mem') end
  return wrong
end
-- For operators alone (alive.lua): no decision of a node rests on it, and a Redis that refuses writes still answers the check.
if ARGV[2] == '1' then redis.pcall('HSET', M, 's:' .. node, text((tonumber(m[9]) or 0) + 1)) end
return {'OK', tonumber(m[1]), m[3], m[4], tonumber(m[5]), m[6] or '', m[7] or '', m[8] and 1 or 0}

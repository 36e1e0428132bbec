-- No process of the node is heard any more in this epoch: ARGV epoch node
--   -> OK place(of the node's data, "" if it has not joined) | RECOVERING | GONE | ROLLED | EPOCH | REPLICA
-- From then on its counters stand still and can be read page by page.
local m, wrong = look(ARGV[1], 'J:' .. ARGV[2])
if wrong then return wrong end
if m[3] ~= 'O' then return {'RECOVERING'} end
redis.call('HSET', M, 'boot:' .. ARGV[2], '-')
return {'OK', m[4] or ''}

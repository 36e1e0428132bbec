-- Refuses all later calls of the node's processes in this epoch: ARGV epoch node
--   -> OK layout(of the node's data, "" if it has not joined) | RECOVERING | GONE | ROLLED | EPOCH | REPLICA
-- From then on its counters do not change and can be read page by page.
local m, wrong = look(ARGV[1], 'J:' .. ARGV[2])
if wrong then return wrong end
if m[3] ~= 'O' then return {'RECOVERING'} end
redis.call('HSET', M, 'boot:' .. ARGV[2], '-')
return {'OK', m[4] or ''}

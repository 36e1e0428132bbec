-- Refuses all later calls of the node's processes in this epoch, which waits for no other member: ARGV epoch node
--   -> OK (no other place has its counters: it holds at most the units that the others do not)
--    | JOINED (its counters are there) | EMPTY (the database's part has not come) | MISSING member (another one has not
--    joined) | STRANGER (no member) | GONE | ROLLED | EPOCH | REPLICA
local node = ARGV[2]
local m, wrong = look(ARGV[1], 'mem', 'J:*', 'J:' .. node)
if wrong then return wrong end
if not string.find(',' .. m[4] .. ',', ',' .. node .. ',', 1, true) then return {'STRANGER'} end
if not m[5] then return {'EMPTY'} end
for member in string.gmatch(m[4], '%d+') do
  if member ~= node and redis.call('HEXISTS', M, 'J:' .. member) == 0 then return {'MISSING', tonumber(member)} end
end
redis.call('HSET', M, 'boot:' .. node, '-')
return {m[6] and 'JOINED' or 'OK'}

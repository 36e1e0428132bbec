-- No process of the node is heard any more in this epoch, though the epoch waits for nobody else: ARGV epoch node
--   -> OK (what it holds is known to nobody: no more than is not held by others) | JOINED (its counters are there)
--    | EMPTY (the database has not been heard) | MISSING member (another one has not joined) | STRANGER (no member)
--    | GONE | ROLLED | EPOCH | REPLICA
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

-- The members that have not joined the epoch yet: ARGV epoch
--   -> OK, and their nodes | GONE | ROLLED | EPOCH | REPLICA
local m, wrong = look(ARGV[1], 'mem')
if wrong then return wrong end
local out = {'OK'}
for member in string.gmatch(m[4], '%d+') do
  if redis.call('HEXISTS', M, 'J:' .. member) == 0 then out[#out + 1] = tonumber(member) end
end
return out

-- Ends the epoch without another: ARGV epoch
--   -> OK | GONE | ROLLED | EPOCH | REPLICA
-- The nodes find none and build the next from their order logs.
local _, wrong = look(ARGV[1])
if wrong then return wrong end
redis.call('HDEL', M, 'E')
return {'OK'}

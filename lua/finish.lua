-- Ends the epoch without another: -> OK epoch | GONE | ROLLED | REPLICA
-- The nodes find none and build the next from their order logs.
local m, wrong = look(nil)
if wrong then return wrong end
redis.call('HDEL', M, 'E')
return {'OK', tonumber(m[1])}

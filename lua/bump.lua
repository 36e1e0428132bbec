-- Begins an epoch: ARGV epoch mem groups
--   -> OK | STALE epoch(the one that is there already, as high or higher) | REPLICA
-- Removes every field of the epoch before except d: and e:, which outlive epochs (identity.lua). Epochs are unique: a proposer
-- that does not get the answer takes a new one.
local rid = identity()
if not rid then return {'REPLICA'} end
local there = tonumber(redis.call('HGET', M, 'E')) or 0
if there >= tonumber(ARGV[1]) then return {'STALE', there} end
for _, field in ipairs(redis.call('HKEYS', M)) do
  if not string.find(field, '^[de]:') then redis.call('HDEL', M, field) end
end
redis.call('HSET', M, 'E', ARGV[1], 'rid', rid, 'st', 'R', 'mem', ARGV[2], 'groups', ARGV[3], 'e:' .. ARGV[1], 1)
return {'OK'}

-- Begins an epoch: ARGV epoch mem
--   -> OK | STALE epoch(the one that is there already, as high or higher) | REPLICA
-- Nothing of the epoch before is kept. Epochs are unique: a proposer that does not hear the answer takes a new one.
local rid = identity()
if not rid then return {'REPLICA'} end
local there = tonumber(redis.call('HGET', M, 'E')) or 0
if there >= tonumber(ARGV[1]) then return {'STALE', there} end
redis.call('DEL', M)
redis.call('HSET', M, 'E', ARGV[1], 'rid', rid, 'st', 'R', 'mem', ARGV[2])
redis.call('SADD', P .. 'e', ARGV[1])
return {'OK'}

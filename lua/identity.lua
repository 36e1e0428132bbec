-- The beginning of every script: the functions that all share, and the check that this Redis is still the one it was.
--
-- Keys, all of one hash tag so that they lie in one slot; P is their common beginning, "stampede:{ledger<group>}:". Each
-- group of items has keys of its own and knows nothing of the others.
--   P m              hash: the state of the current epoch. KEYS[1], so that it decides where a call goes while a cluster
--                    moves the slot: every other key belongs to one epoch, and none but this is ever written again
--                    after a new epoch has begun at the slot's new place.
--                      E            the epoch              rid   identity of the Redis that opened it
--                      st           R recovering, O open   mem   nodes that must join, "0,3,7"
--                      groups       how many there are: nodes that deal items out to another number must not join
--                      J:<node>     has joined; the value is "generation.shards" of its data directory
--                      boot:<node>  the process whose calls count for the node; "-" when it was fenced
--                      n:<stream>   number of the stream's last exchange
--                      s:<node>     signs of life, counted
--                    and fields that outlive epochs:
--                      d:<stream>   newest record of its order log that was durable
--                      e:<epoch>    an epoch whose items may still have keys
--   P i:<E>:<item>   hash: T units supplied, h held by streams = sum of (a - r), p unsold in pools = sum of p:,
--                      a:<stream> ever granted, r:<stream> ever returned, p:<stream> unsold, w:<op> a withdrawal
--   P k:<E>          set: the items of the epoch
--
-- A stream is "node.generation.shard" of an order log; "withdrawn" is the stream of units that operators took off sale.
--
-- An epoch's counters have its number in their keys. They are made from the counters that the members send when they join,
-- never from those of an older epoch. Redis is a sequencer here and not a store of truth: it may lose everything at any
-- moment. A loss shows in master_replid, which is new after each restart and each promotion, or in a missing P m. A script
-- that sees either changes nothing and answers so.
local M = KEYS[1]
local P = string.sub(M, 1, -2)

local function identity()
  local info = redis.call('INFO', 'replication')
  if not string.find(info, 'role:master', 1, true) then return nil end
  return string.match(info, 'master_replid:(%x+)')
end

-- The value of each field of M, or the reason why there is none: REPLICA, GONE, ROLLED, EPOCH.
local function look(epoch, ...)
  local rid = identity()
  if not rid then return nil, {'REPLICA'} end
  local m = redis.call('HMGET', M, 'E', 'rid', 'st', ...)
  if not m[1] then return nil, {'GONE'} end
  if m[2] ~= rid then return nil, {'ROLLED', tonumber(m[1])} end
  if epoch and m[1] ~= epoch then return nil, {'EPOCH', tonumber(m[1])} end
  return m
end

local function item_key(epoch, item) return P .. 'i:' .. epoch .. ':' .. item end

-- A number that Redis would not print as 1e+15.
local function text(number) return string.format('%.0f', number) end

-- Sets a stream's counters of an item and keeps the sums: SET and not max, for only the order log has the accepted units.
local function set_counters(key, stream, a, r, pool)
  local v = redis.call('HMGET', key, 'h', 'p', 'a:' .. stream, 'r:' .. stream, 'p:' .. stream)
  local held = (tonumber(v[1]) or 0) + (a - r) - ((tonumber(v[3]) or 0) - (tonumber(v[4]) or 0))
  local unsold = (tonumber(v[2]) or 0) + pool - (tonumber(v[5]) or 0)
  redis.call('HSET', key, 'h', text(held), 'p', text(unsold), 'a:' .. stream, text(a), 'r:' .. stream, text(r),
             'p:' .. stream, text(pool))
end

-- False: the epoch knows the item, and its key was removed. A new one would have all units free, also those that are sold.
local function raise_supply(epoch, item, supplied)
  local key = item_key(epoch, item)
  if redis.call('SADD', P .. 'k:' .. epoch, item) == 0 and redis.call('EXISTS', key) == 0 then return false end
  if supplied > (tonumber(redis.call('HGET', key, 'T')) or -1) then redis.call('HSET', key, 'T', text(supplied)) end
  return key
end

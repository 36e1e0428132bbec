-- A node, or the proposer as "*", sends its counters: ARGV epoch node boot layout shards fin, then for each item
--   item supplied count, and count times: stream a r pool
--   -> OK st, and for each of the node's shards: n d
--    | JOINED st, the same | LOST item(its key was removed) | STRANGER (not a member of this epoch) | FENCED | GONE | ROLLED
--    | EPOCH | REPLICA
--
-- layout: "generation.shards" of the node's data directory; its streams are node.generation.shard.
-- "*" sends the database's part: the supply of every item, and the counters of members that are down.
-- Many items come in chunks, the last with fin = 1; a chunk that comes twice sets the same again. A node that has joined
-- cannot join again in this epoch: a repeated or late JOIN changes no counter. It only returns the numbers from which the
-- newer process goes on. The epoch opens when all have joined, so afterwards no stream accepts a grant of an older one.
local epoch, node, boot, layout, shards, fin = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
local m, wrong = look(epoch, 'mem', 'J:' .. node, 'boot:' .. node)
if wrong then return wrong end

local function joined(status, st)
  local out = {status, st}
  local generation = string.match(layout, '^%d+')
  for shard = 0, shards - 1 do
    local stream = node .. '.' .. generation .. '.' .. shard
    out[#out + 1] = tonumber(redis.call('HGET', M, 'n:' .. stream)) or 0
    out[#out + 1] = tonumber(redis.call('HGET', M, 'd:' .. stream)) or 0
  end
  return out
end

if node ~= '*' then
  if not string.find(',' .. m[4] .. ',', ',' .. node .. ',', 1, true) then return {'STRANGER'} end
  if m[6] and (not tonumber(m[6]) or tonumber(m[6]) > tonumber(boot)) then return {'FENCED'} end
  redis.call('HSET', M, 'boot:' .. node, boot)
end
if m[5] then return joined('JOINED', m[3]) end

local at = 7
while at <= #ARGV do
  local key = raise_supply(epoch, ARGV[at], tonumber(ARGV[at + 1]))
  if not key then return {'LOST', ARGV[at]} end
  local count = tonumber(ARGV[at + 2])
  at = at + 3
  for _ = 1, count do
    set_counters(key, ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]))
    at = at + 4
  end
end
if fin ~= '1' then return joined('OK', 'R') end
redis.call('HSET', M, 'J:' .. node, layout)
if redis.call('HEXISTS', M, 'J:*') == 0 then return joined('OK', 'R') end
for member in string.gmatch(m[4], '%d+') do
  if redis.call('HEXISTS', M, 'J:' .. member) == 0 then return joined('OK', 'R') end
end
redis.call('HSET', M, 'st', 'O')
return joined('OK', 'O')

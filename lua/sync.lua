-- One stream's exchange of a turn: ARGV epoch node boot stream n d, then for each item: item accepted returned pool want
--   -> OK n, and for each item: a r free pool_elsewhere (all -1: the ledger does not have the item)
--    | OLD n | GAP n | FENCED | RECOVERING | GONE | ROLLED | EPOCH | REPLICA
--
-- All counters are absolute, so the call may be repeated: n one above the last is an exchange; n equal to the last is a
-- repeat, which grants nothing more and reads what was granted. free < 0 means that more is held than was ever supplied:
-- a log or this Redis was tampered with, and nothing of that item may be granted.
--
-- Units that were granted beyond `accepted` are unsold in the stream though it does not know them yet: an answer was lost
-- or a process died before it could log it. They count as its pool, or the others would read that nothing is left.
local epoch, node, boot, stream, n = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local m, wrong = look(epoch, 'boot:' .. node, 'n:' .. stream, 'd:' .. stream)
if wrong then return wrong end
if m[4] ~= boot then return {'FENCED'} end
if m[3] ~= 'O' then return {'RECOVERING'} end
local last = tonumber(m[5]) or 0
if n < last then return {'OLD', last} end
if n > last + 1 then return {'GAP', last} end
local is_new = n == last + 1

local granted_field, returned_field, pool_field = 'a:' .. stream, 'r:' .. stream, 'p:' .. stream
local out = {'OK', n}
for at = 7, #ARGV, 5 do
  local key = item_key(epoch, ARGV[at])
  local v = redis.call('HMGET', key, 'T', 'h', 'p', granted_field, returned_field, pool_field)
  local total = tonumber(v[1])
  if total then
    local held, unsold = tonumber(v[2]) or 0, tonumber(v[3]) or 0
    local a, r, pool = tonumber(v[4]) or 0, tonumber(v[5]) or 0, tonumber(v[6]) or 0
    local accepted, returned = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local changed = false
    if returned > r then
      held = held - (returned - r)
      r = returned
      changed = true
    end
    if is_new then
      local reported, want = tonumber(ARGV[at + 3]) + math.max(0, a - accepted), tonumber(ARGV[at + 4])
      local grant = math.max(0, math.min(want, total - held))
      a = a + grant
      held = held + grant
      reported = reported + grant
      if grant > 0 or reported ~= pool then
        unsold = unsold + reported - pool
        pool = reported
        changed = true
      end
    end
    if changed then
      redis.call('HSET', key, 'h', text(held), 'p', text(unsold),
                 granted_field, text(a), returned_field, text(r), pool_field, text(pool))
    end
    out[#out + 1] = a
    out[#out + 1] = r
    out[#out + 1] = total - held
    out[#out + 1] = unsold - pool
  else
    for _ = 1, 4 do out[#out + 1] = -1 end
  end
end
local durable = math.max(tonumber(m[6]) or 0, tonumber(ARGV[6]))
redis.call('HSET', M, 'n:' .. stream, ARGV[5], 'd:' .. stream, text(durable))
return out

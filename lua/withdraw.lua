-- Takes units off sale, once per operation: ARGV epoch op item units
--   -> OK free(left) | SHORT free | REUSED units(another number, which the operation has taken) | RECOVERING | UNKNOWN | GONE
--    | ROLLED | EPOCH | REPLICA
-- The caller records it in the database afterwards. If that never happens, the next epoch does not have the withdrawal
-- either, and the units are on sale again.
local epoch, op, item, units = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local m, wrong = look(epoch)
if wrong then return wrong end
if m[3] ~= 'O' then return {'RECOVERING'} end
local key = item_key(epoch, item)
local v = redis.call('HMGET', key, 'T', 'h', 'a:withdrawn', 'w:' .. op)
if not v[1] then return {'UNKNOWN'} end
local held = tonumber(v[2]) or 0
local free = tonumber(v[1]) - held
if v[4] and tonumber(v[4]) ~= units then return {'REUSED', tonumber(v[4])} end
if v[4] then return {'OK', free} end
if units > free then return {'SHORT', free} end
redis.call('HSET', key, 'h', text(held + units), 'a:withdrawn', text((tonumber(v[3]) or 0) + units), 'w:' .. op, text(units))
return {'OK', free - units}

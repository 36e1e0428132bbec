-- Some items of the epoch as they are at one moment: ARGV epoch, items
--   -> OK, and for each item its hash as a list of names and values (empty: unknown)
--    | RECOVERING | GONE | ROLLED | EPOCH | REPLICA
local m, wrong = look(ARGV[1])
if wrong then return wrong end
if m[3] ~= 'O' then return {'RECOVERING'} end
local out = {'OK'}
for at = 2, #ARGV do out[#out + 1] = redis.call('HGETALL', item_key(ARGV[1], ARGV[at])) end
return out

-- A page of the epoch's items: ARGV epoch cursor("0" first) count state(R: also while it is recovering)
--   -> OK cursor("0": the end), and for each item: item, then its hash as a list of names and values
--    | RECOVERING | GONE | ROLLED | EPOCH | REPLICA
local m, wrong = look(ARGV[1])
if wrong then return wrong end
if m[3] ~= 'O' and ARGV[4] ~= 'R' then return {'RECOVERING'} end
local page = redis.call('SSCAN', P .. 'k:' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local out = {'OK', page[1]}
for _, item in ipairs(page[2]) do
  out[#out + 1] = item
  out[#out + 1] = redis.call('HGETALL', item_key(ARGV[1], item))
end
return out

-- Removes items of epochs before this one, some at a time: ARGV epoch count
--   -> OK left(1: call again) | GONE | ROLLED | EPOCH | REPLICA
local m, wrong = look(ARGV[1])
if wrong then return wrong end
for _, old in ipairs(redis.call('SMEMBERS', P .. 'e')) do
  if tonumber(old) < tonumber(ARGV[1]) then
    local items = redis.call('SPOP', P .. 'k:' .. old, ARGV[2])
    for _, item in ipairs(items) do redis.call('UNLINK', item_key(old, item)) end
    if #items == 0 then redis.call('SREM', P .. 'e', old) end
    return {'OK', 1}
  end
end
return {'OK', 0}

-- Removes items of epochs before this one, some at a time: ARGV epoch count
--   -> OK left(1: call again) | GONE | ROLLED | EPOCH | REPLICA
local m, wrong = look(ARGV[1])
if wrong then return wrong end
for _, field in ipairs(redis.call('HKEYS', M)) do
  local old = string.match(field, '^e:(%d+)$')
  if old and tonumber(old) < tonumber(ARGV[1]) then
    local items = redis.call('SPOP', P .. 'k:' .. old, ARGV[2])
    for _, item in ipairs(items) do redis.call('UNLINK', item_key(old, item)) end
    if #items == 0 then redis.call('HDEL', M, field) end
    return {'OK', 1}
  end
end
return {'OK', 0}

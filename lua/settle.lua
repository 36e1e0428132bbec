-- Final counters of a node that is gone, or those that it has when it is taken out, whose pools nobody sells any more:
-- ARGV epoch node, then: item stream a r
--   -> OK | ALIVE (the node is a member and not fenced) | RECOVERING | GONE | ROLLED | EPOCH | REPLICA
-- The database holds them before, so that an epoch that begins meanwhile has them too. Absolute, so it may be repeated.
local m, wrong = look(ARGV[1], 'J:' .. ARGV[2], 'boot:' .. ARGV[2])
if wrong then return wrong end
if m[3] ~= 'O' then return {'RECOVERING'} end
if m[4] and m[5] ~= '-' then return {'ALIVE'} end
for at = 3, #ARGV, 4 do
  local key = item_key(ARGV[1], ARGV[at])
  if redis.call('EXISTS', key) == 1 then
    set_counters(key, ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), 0)
  end
end
return {'OK'}

-- Units ever supplied, absolute, so it may be repeated: ARGV epoch, then for each item: item supplied
--   -> OK | LOST item(its key was removed; those before it are done) | GONE | ROLLED | EPOCH | REPLICA
-- The database has the supply before, so an epoch that begins meanwhile has it too. An item that is new in this epoch
-- was never granted before: no stream holds any of it.
local m, wrong = look(ARGV[1])
if wrong then return wrong end
for at = 2, #ARGV, 2 do
  if not raise_supply(ARGV[1], ARGV[at], tonumber(ARGV[at + 1])) then return {'LOST', ARGV[at]} end
end
return {'OK'}

-- Signs of life of the epoch's members: ARGV epoch
--   -> OK, and for each member that was not fenced: node count | GONE | ROLLED | EPOCH | REPLICA
-- The count rises while the node runs (check.lua), so two answers with a pause between them show which nodes run.
local m, wrong = look(ARGV[1], 'mem')
if wrong then return wrong end
local out = {'OK'}
for member in string.gmatch(m[4], '%d+') do
  local v = redis.call('HMGET', M, 'boot:' .. member, 's:' .. member)
  if v[1] ~= '-' then
    out[#out + 1] = tonumber(member)
    out[#out + 1] = tonumber(v[2]) or 0
  end
end
return out

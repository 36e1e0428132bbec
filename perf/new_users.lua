-- wrk script: one order each from users who have never ordered before, for perf/sustained.
--
--   wrk -s perf/new_users.lua URL -- ITEM DEPTH PREFIX
--
-- As perf/orders.lua, but no user comes twice: a batch is written when it is asked for, which costs wrk's CPU and not the
-- server's. Its last line is that of perf/result.lua.

local head, tail, depth
local user = 0

function init(arguments)
  local item, prefix = arguments[1], arguments[3]
  depth = tonumber(arguments[2])
  local body = string.format('{"item":"%s","qty":1}', item)
  head = "POST /v1/orders HTTP/1.1\r\nHost: " .. wrk.headers["Host"] ..
         "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\nX-User-Id: " .. prefix
  tail = "\r\n\r\n" .. body
end

function request()
  local batch = {}
  for i = 1, depth do
    batch[i] = head .. (user + i) .. tail
  end
  user = user + depth
  return table.concat(batch)
end

dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")

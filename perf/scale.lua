-- wrk script: orders spread over so many users and items, for perf/scale.
--
--   wrk -s perf/scale.lua URL -- DEPTH USERS ITEMS
--
-- DEPTH   requests in one write
-- USERS   that there are: each orders once before the first orders again
-- ITEMS   that there are, item-0 and so on
--
-- Users and items follow in strides, so that what one order needs of the server's memory is not beside what the order before it
-- needed. A batch is written when it is asked for, which costs wrk's CPU and not the server's. Its last line is that of perf/result.lua.

-- Primes that divide no power of ten, so that every user and item has its turn.
local user_stride, item_stride = 611953, 7919

local depth, users, items, head
local user, item = 0, 0

function init(arguments)
  depth, users, items = tonumber(arguments[1]), tonumber(arguments[2]), tonumber(arguments[3])
  head = "POST /v1/orders HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nContent-Type: application/json\r\nContent-Length: "
end

function request()
  local batch = {}
  for i = 1, depth do
    user, item = (user + user_stride) % users, (item + item_stride) % items
    local body = '{"item":"item-' .. item .. '","qty":1}'
    batch[i] = head .. #body .. "\r\nX-User-Id: u" .. user .. "\r\n\r\n" .. body
  end
  return table.concat(batch)
end

dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")

-- wrk script: orders from users who are all different, for perf/compare.
--
--   wrk -s perf/orders.lua URL -- ITEM DEPTH PREFIX
--
-- ITEM    code of the item to order
-- DEPTH   requests in one write (1: one a round trip)
-- PREFIX  of user ids, so that several runs against one server have different users
--
-- All requests are built before the clock starts: in the measured time a request costs one table access. When the
-- users are used up, the first ones order again (the item has no limit).

local users = 2 ^ 18

local texts = {}
local next_text = 0

function init(arguments)
  local item, depth, prefix = arguments[1], tonumber(arguments[2]), arguments[3]
  local body = string.format('{"item":"%s","qty":1}', item)
  local head = "POST /v1/orders HTTP/1.1\r\nHost: " .. wrk.headers["Host"] ..
               "\r\nContent-Type: application/json\r\nContent-Length: " .. #body .. "\r\nX-User-Id: " .. prefix
  local tail = "\r\n\r\n" .. body
  local batch = {}
  for text = 1, users / depth do
    for i = 1, depth do
      batch[i] = head .. ((text - 1) * depth + i) .. tail
    end
    texts[text] = table.concat(batch)
  end
end

function request()
  next_text = next_text % #texts + 1
  return texts[next_text]
end

dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")

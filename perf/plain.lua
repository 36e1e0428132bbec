-- wrk script: plain GETs, `wrk -s perf/plain.lua URL -- DEPTH` with DEPTH requests in one write. Its last line is that of
-- perf/result.lua.

local text

function init(arguments)
  text = string.rep("GET / HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n", tonumber(arguments[1]))
end

function request()
  return text
end

dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")

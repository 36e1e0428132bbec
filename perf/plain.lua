-- wrk script: plain GETs, `wrk -s perf/plain.lua URL -- DEPTH` with DEPTH requests in one write. Same last line as
-- perf/orders.lua.

local text

function init(arguments)
  text = string.rep("GET / HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n", tonumber(arguments[1]))
end

function request()
  return text
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("result requests=%d microseconds=%d failed=%d errors=%d p50_us=%d p99_us=%d\n",
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end

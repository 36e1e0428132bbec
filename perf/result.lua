-- The last line of the wrk scripts of this folder, for programs: each of them runs this file.
--   result requests=N microseconds=N failed=N errors=N p50_us=N p99_us=N

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("result requests=%d microseconds=%d failed=%d errors=%d p50_us=%d p99_us=%d\n",
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end

-- wrk script: requests that a file has ready, for perf/compare.
--
--   wrk -s perf/requests.lua URL -- FILE DEPTH
--
-- FILE   requests one behind the other, each behind a line with its length in bytes
-- DEPTH  requests in one write (1: one a round trip)
--
-- They are sent in turn, again and again. The last line is that of perf/result.lua.

local texts = {}
local next_text = 0

function init(arguments)
  local file, depth = assert(io.open(arguments[1], "rb")), tonumber(arguments[2])
  local batch = {}
  for length in function() return file:read("*l") end do
    batch[#batch + 1] = file:read(tonumber(length))
    if #batch == depth then
      texts[#texts + 1] = table.concat(batch)
      batch = {}
    end
  end
  file:close()
end

function request()
  next_text = next_text % #texts + 1
  return texts[next_text]
end

dofile((debug.getinfo(1, "S").source:match("^@(.*/)") or "") .. "result.lua")

-- How long to wait before the next try to connect: why the last one failed and how many failed in a row come in,
-- seconds go out. Pure: returns its module table, never touches `core`.

local backoff = {}

local FIRST = 0.25
-- Whether a port is open again costs nothing to ask, and players wait for the answer: a runtime that comes back
-- is found within 2 s. Where a try is dear, or a person must act first, it is 5 s.
local MOST, MOST_SOON = 5, 1.5
local SOON = { refused = true, lost = true, closed = true, busy = true }

-- Doubled with each failure, and between half of that and all of it, so that many servers do not come back in one
-- moment. `random(n)` gives n random bytes.
function backoff.seconds(why, failures, random)
	local high, low = random(2):byte(1, 2)
	local share = (high * 256 + low) / 65535
	local most = SOON[why] and MOST_SOON or MOST
	return math.min(most, FIRST * 2 ^ math.min(failures - 1, 10)) * (0.5 + 0.5 * share)
end

return backoff

-- The time that this mod spends in each server step comes in, percentiles over the last steps go out.
-- Every guarded callback adds its time to the present step; the mod's globalstep closes the step.

local stats = { steps = 0, longest_ms = 0, counts = { errors = 0 } }

local RING = 1000
local ring, at, present = {}, 0, 0

--- Add microseconds to the present step.
function stats.add(microseconds)
	present = present + microseconds
end

--- Close a step: what has gathered since the last call is one step's work.
function stats.close_step()
	at = at % RING + 1
	ring[at] = present
	stats.steps = stats.steps + 1
	if present / 1000 > stats.longest_ms then
		stats.longest_ms = present / 1000
	end
	present = 0
end

--- Count something that an admin may want to know of.
function stats.count(what, by)
	stats.counts[what] = (stats.counts[what] or 0) + (by or 1)
end

--- Forget the steps so far, so that a measurement begins anew.
function stats.reset()
	ring, at, present = {}, 0, 0
	stats.steps, stats.longest_ms = 0, 0
end

--- Figures in milliseconds over at most the last 1,000 steps, and the counters.
function stats.report()
	local sorted = {}
	for index = 1, #ring do
		sorted[index] = ring[index]
	end
	table.sort(sorted)
	local function percentile(share)
		if #sorted == 0 then
			return 0
		end
		return sorted[math.max(1, math.ceil(share * #sorted))] / 1000
	end
	return {
		steps = stats.steps,
		window = #sorted,
		p50_ms = percentile(0.50),
		p99_ms = percentile(0.99),
		max_ms = percentile(1),
		longest_ms = stats.longest_ms,
		counts = stats.counts,
	}
end

return stats

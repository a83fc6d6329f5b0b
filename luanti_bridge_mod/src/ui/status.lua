-- The link's state and the mod's counters come in; a few lines for an admin, and a file for the benchmark, go out.

local mod = ...
local S = mod.S

local status = {}

local WRITE_EVERY = 5
local written_at = 0

local function link_text()
	local link = mod.link:status()
	if link.up then
		return S("Runtime: connected to @1.", link.place)
	elseif mod.setup_problem then
		return S("Runtime: no connection. @1", mod.setup_problem)
	end
	return S("Runtime: no connection to @1 for @2 s (@3).",
		link.place, math.floor(link.down_for), link.last_error or link.state)
end

--- What `/npc status` shows.
function status.text()
	local report = mod.stats.report()
	local link = mod.link:status()
	return table.concat({
		link_text(),
		S("NPCs: @1, of them @2 in the active world. Lines waiting for an answer: @3.",
			#mod.records.list(), #mod.npcs.loaded(), mod.talks.open_count()),
		S("Messages waiting: @1, ratings not yet confirmed: @2, dropped: @3.",
			link.queued or 0, link.kept or 0, (link.dropped or 0) + (report.counts.events_dropped or 0)),
		S("Work per server step over the last @1: p50 @2 ms, p99 @3 ms, longest @4 ms. Errors: @5.",
			report.window, ("%.2f"):format(report.p50_ms), ("%.2f"):format(report.p99_ms),
			("%.2f"):format(report.max_ms), report.counts.errors or 0),
	}, "\n")
end

--- Write the figures into the world's folder, when the setting asks for it. Its time counts nowhere: only
-- measurements switch it on.
function status.step(now)
	if not mod.settings.stats_file or now - written_at < WRITE_EVERY then
		return
	end
	written_at = now
	local report = mod.stats.report()
	report.link = mod.link:status()
	core.safe_file_write(core.get_worldpath() .. "/townsfolk_stats.json", core.write_json(report, true))
end

return status

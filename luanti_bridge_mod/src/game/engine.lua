-- What the engine says about itself comes in, its name and whether it is known to be unsafe goes out.

local engine = {}

local SAFE = { 5, 15, 2 }

--- `Minetest 5.6.1`, or what else this engine calls itself.
function engine.name()
	local version = core.get_version()
	return ("%s %s"):format(version.project, version.string)
end

--- Whether another mod can obtain a trusted mod's environment (CVE-2026-40960). An unreadable version counts as safe:
-- it is a newer one than we know.
function engine.leaks_trust()
	local found = { core.get_version().string:match("^(%d+)%.(%d+)%.(%d+)") }
	for index, safe in ipairs(SAFE) do
		local part = tonumber(found[index])
		if not part or part > safe then
			return false
		elseif part < safe then
			return true
		end
	end
	return false
end

--- The game's technical name, such as `minetest_game`.
function engine.game()
	if core.get_game_info then
		return core.get_game_info().id
	end
	return Settings(core.get_worldpath() .. "/world.mt"):get("gameid") or ""
end

return engine

-- A name from the wire comes in, the player, NPC, mob or place of that name goes out, as the world is now.

local mod = ...
local bearings, text = mod.bearings, mod.text

local targets = {}

local MOB_REACH = 32

local function alive(object)
	return function()
		return object:get_pos()
	end
end

local function npc(record)
	return {
		kind = "npc",
		name = record.name,
		pos = function()
			local other = mod.npcs.body(record.id)
			return other and other.object:get_pos()
		end,
	}
end

local function place(marked)
	return {
		kind = "place",
		name = marked.name,
		pos = function()
			return marked.pos
		end,
	}
end

local function named(body, name)
	local found, wanted = {}, text.lower(name)
	for _, player in ipairs(core.get_connected_players()) do
		if text.lower(player:get_player_name()) == wanted then
			found[#found + 1] = targets.player(player:get_player_name())
		end
	end
	local record = mod.records.by_name(name)
	if record and record.id ~= body.record.id then
		found[#found + 1] = npc(record)
	end
	for _, mob in ipairs(mod.snapshot.mobs(body.object:get_pos(), MOB_REACH)) do
		if text.lower(mob.name) == wanted then
			found[#found + 1] = { kind = "mob", name = mob.name, pos = alive(mob.object) }
		end
	end
	local marked = mod.places.by_name(name)
	if marked then
		found[#found + 1] = place(marked)
	end
	return found
end

--- Who or what is called `name`, seen from the NPC's body? Returns `{ kind, name, pos = function() → position or nil,
-- player }` or nil. Of several that is meant which is spelt just so, and then the nearest, as the runtime means it:
-- who takes the name of a place does not take its visitors.
function targets.find(body, name)
	local here, best, least = body.object:get_pos(), nil, nil
	for _, target in ipairs(named(body, name)) do
		local pos = target.pos()
		local away = pos and bearings.distance(here, pos) or math.huge
		local exact, best_exact = target.name == name, best and best.name == name
		if not best or (exact and not best_exact) or (exact == best_exact and away < least) then
			best, least = target, away
		end
	end
	return best
end

--- A player as a target, whether online now or not.
function targets.player(name)
	return {
		kind = "player",
		name = name,
		pos = function()
			local player = core.get_player_by_name(name)
			return player and player:get_pos()
		end,
	}
end

return targets

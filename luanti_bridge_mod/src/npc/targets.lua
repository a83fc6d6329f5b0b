-- A name from the wire comes in, the player, NPC, mob or place of that name goes out, as the world is now.

local mod = ...
local text = mod.text

local targets = {}

local MOB_REACH = 32

local function alive(object)
	return function()
		return object:get_pos()
	end
end

--- Who or what is called `name`, seen from the NPC's body? Returns `{ kind, name, pos = function() → position or nil,
-- player }` or nil. Players come first, then other NPCs, mobs and places.
function targets.find(body, name)
	local wanted = text.lower(name)
	for _, player in ipairs(core.get_connected_players()) do
		if text.lower(player:get_player_name()) == wanted then
			return targets.player(player:get_player_name())
		end
	end
	local record = mod.records.by_name(name)
	if record and record.id ~= body.record.id then
		return {
			kind = "npc",
			name = record.name,
			pos = function()
				local other = mod.npcs.body(record.id)
				return other and other.object:get_pos()
			end,
		}
	end
	for _, mob in ipairs(mod.snapshot.mobs(body.object:get_pos(), MOB_REACH)) do
		if text.lower(mob.name) == wanted then
			return { kind = "mob", name = mob.name, pos = alive(mob.object) }
		end
	end
	local place = mod.places.by_name(name)
	if place then
		return {
			kind = "place",
			name = place.name,
			pos = function()
				return place.pos
			end,
		}
	end
	return nil
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

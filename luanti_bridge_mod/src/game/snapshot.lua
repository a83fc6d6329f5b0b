-- An NPC and the player who speaks to it come in, what is true around them goes out as the wire's
-- `Snapshot`. Bounded in length, finite in every number, and it changes nothing.

local mod = ...
local bearings, places, text = mod.bearings, mod.places, mod.text

local snapshot = {}

local SIGHT = 32
local PLACE_REACH = 1000
local MAX_PLAYERS, MAX_MOBS, MAX_NPCS, MAX_PLACES = 8, 8, 4, 12
local MAX_STACKS = 64

local function rounded(pos)
	return {
		x = math.floor(pos.x * 10 + 0.5) / 10,
		y = math.floor(pos.y * 10 + 0.5) / 10,
		z = math.floor(pos.z * 10 + 0.5) / 10,
	}
end

local function near_entry(kind, name, from, to)
	return {
		kind = kind,
		name = text.line(name, 100),
		distance = math.floor(bearings.distance(from, to) * 10 + 0.5) / 10,
		direction = bearings.direction(from, to),
		vertical = bearings.vertical(from, to),
	}
end

local function by_distance(a, b)
	return a.distance < b.distance
end

-- Mob frameworks mark their entities in different ways; dropped items, falling nodes and arrows carry no such mark.
local function is_mob(entity)
	return entity._cmi_is_mob
		or entity.is_mob
		or entity.type == "animal"
		or entity.type == "monster"
		or entity.type == "npc"
		or (entity.hp_max ~= nil and entity.name ~= nil and entity.name:find("mob") ~= nil)
end

--- What players call a mob: `mobs_animal:sheep_white` is a `sheep white`.
function snapshot.mob_name(entity_name)
	return (entity_name:gsub("^.*:", ""):gsub("_", " "))
end

--- The mobs within `reach` nodes, nearest first, one per kind, each as `{ name, object, pos, distance }`.
function snapshot.mobs(pos, reach)
	local found = {}
	for _, object in ipairs(core.get_objects_inside_radius(pos, reach)) do
		local entity = object:get_luaentity()
		if entity and entity.name ~= "townsfolk:npc" and is_mob(entity) then
			local at = object:get_pos()
			found[#found + 1] = {
				name = snapshot.mob_name(entity.name),
				object = object,
				pos = at,
				distance = bearings.distance(pos, at),
			}
		end
	end
	table.sort(found, by_distance)
	local seen, nearest = {}, {}
	for _, mob in ipairs(found) do
		if not seen[mob.name] and #nearest < MAX_MOBS then
			seen[mob.name] = true
			nearest[#nearest + 1] = mob
		end
	end
	return nearest
end

-- Appends the nearest of `entries`, at most so many.
local function add_nearest(list, entries, most)
	table.sort(entries, by_distance)
	for index = 1, math.min(#entries, most) do
		list[#list + 1] = entries[index]
	end
end

local function people(pos, speaker, self_id)
	local players = {}
	for _, player in ipairs(core.get_connected_players()) do
		local name, at = player:get_player_name(), player:get_pos()
		if name ~= speaker and bearings.is_position(at) and bearings.distance(pos, at) <= SIGHT then
			players[#players + 1] = near_entry("player", name, pos, at)
		end
	end
	local npcs = {}
	for _, npc in ipairs(mod.npcs.loaded()) do
		if npc.id ~= self_id and bearings.distance(pos, npc.pos) <= SIGHT then
			npcs[#npcs + 1] = near_entry("npc", npc.name, pos, npc.pos)
		end
	end
	local list = {}
	add_nearest(list, players, MAX_PLAYERS)
	add_nearest(list, npcs, MAX_NPCS)
	return list
end

local function biome_name(pos)
	local data = core.get_biome_data(pos)
	local name = data and core.get_biome_name(data.biome)
	-- Mapgens without biomes answer "default" for everything, which says nothing.
	return name ~= "default" and name or ""
end

--- The wire's `Snapshot`, or nil when a position is no usable one.
-- `npc` has `id`, `pos`, `inventory` (itemstring → count) and `doing`.
function snapshot.take(npc, player, now)
	local npc_pos, player_pos = npc.pos, player:get_pos()
	if not (bearings.is_position(npc_pos) and bearings.is_position(player_pos)) then
		return nil
	end
	local near = people(npc_pos, player:get_player_name(), npc.id)
	for _, mob in ipairs(snapshot.mobs(npc_pos, SIGHT)) do
		near[#near + 1] = near_entry("mob", mob.name, npc_pos, mob.pos)
	end
	local around = places.near(npc_pos, PLACE_REACH)
	for index = 1, math.min(#around, MAX_PLACES) do
		near[#near + 1] = near_entry("place", around[index].name, npc_pos, around[index].pos)
	end
	table.sort(near, by_distance)
	local stacks = {}
	for item, count in pairs(npc.inventory) do
		if #stacks < MAX_STACKS then
			stacks[#stacks + 1] = { item = item, count = count }
		end
	end
	table.sort(stacks, function(a, b)
		return a.item < b.item
	end)
	local under = core.get_node_or_nil(vector.offset(npc_pos, 0, -0.5, 0))
	return {
		taken = now,
		time_of_day = core.get_timeofday() or 0.5,
		npc_pos = rounded(npc_pos),
		player_pos = rounded(player_pos),
		biome = text.line(biome_name(npc_pos), 100),
		surface = under and under.name:sub(1, 100) or "",
		held = player:get_wielded_item():get_name():sub(1, 100),
		doing = text.line(npc.doing, 100),
		weather = "",
		near = near,
		inventory = stacks,
	}
end

return snapshot

-- For tests only: commands that cause in the game what a test cannot cause from outside.

-- Makes the NPC's own step throw, as a bug of ours would.
core.register_chatcommand("probe_break", {
	func = function(_, name)
		townsfolk.object(name):get_luaentity().think = function()
			error("a bug in the NPC " .. name)
		end
		return true, "broken"
	end,
})

-- What the public table says of one NPC, as JSON.
core.register_chatcommand("probe_npc", {
	func = function(_, name)
		for _, npc in ipairs(townsfolk.list()) do
			if npc.name == name then
				return true, "npc " .. core.write_json(npc)
			end
		end
		return true, "npc null"
	end,
})

-- Another mod makes an NPC where the player stands.
core.register_chatcommand("probe_spawn", {
	params = "PERSONA NAME",
	func = function(player_name, param)
		local persona, name = param:match("^(%S+) (.*)$")
		local id, problem = townsfolk.spawn(persona, name, core.get_player_by_name(player_name):get_pos())
		return true, id and "spawned" or "refused: " .. problem
	end,
})

-- Takes all entities out of the world, as /clearobjects does.
core.register_chatcommand("probe_clear", {
	func = function()
		core.clear_objects({ mode = "quick" })
		return true, "cleared"
	end,
})

-- How many bodies of NPCs there are.
core.register_chatcommand("probe_bodies", {
	func = function()
		local count = 0
		for _, entity in pairs(core.luaentities) do
			if entity.name == "townsfolk:npc" then
				count = count + 1
			end
		end
		return true, "bodies " .. count
	end,
})

-- A body that belongs to nobody, and a second one of a living NPC.
core.register_chatcommand("probe_strays", {
	func = function(player_name, name)
		local pos = core.get_player_by_name(player_name):get_pos()
		core.add_entity(pos, "townsfolk:npc", "00000000000000000000000000")
		for _, npc in ipairs(townsfolk.list()) do
			if npc.name == name then
				core.add_entity(pos, "townsfolk:npc", npc.id)
			end
		end
		return true, "strays made"
	end,
})

-- So many events in one go.
core.register_chatcommand("probe_events", {
	func = function(player_name, count)
		local player = core.get_player_by_name(player_name)
		for _ = 1, tonumber(count) do
			for _, callback in ipairs(core.registered_on_dignodes) do
				callback(player:get_pos(), { name = "default:dirt" }, player)
			end
		end
		return true, "events made"
	end,
})

-- Leaves no room in the player's inventory.
core.register_chatcommand("probe_fill", {
	func = function(player_name)
		local inventory = core.get_player_by_name(player_name):get_inventory()
		for slot = 1, inventory:get_size("main") do
			inventory:set_stack("main", slot, ItemStack("default:pick_wood"))
		end
		return true, "filled"
	end,
})

-- What lies on the ground: the itemstrings of all dropped items.
core.register_chatcommand("probe_ground", {
	func = function()
		local lying = {}
		for _, entity in pairs(core.luaentities) do
			if entity.name == "__builtin:item" then
				lying[#lying + 1] = entity.itemstring
			end
		end
		return true, "on the ground: " .. table.concat(lying, ", ")
	end,
})

-- So many events per second from now on; 0 ends it.
local rate, owed, maker = 0, 0, nil
core.register_chatcommand("probe_rate", {
	func = function(player_name, per_second)
		rate, maker = tonumber(per_second), player_name
		townsfolk.stats.reset()
		return true, "rate set"
	end,
})
core.register_globalstep(function(dtime)
	local player = maker and core.get_player_by_name(maker)
	if not player then
		return
	end
	owed = owed + rate * dtime
	while owed >= 1 do
		owed = owed - 1
		for _, callback in ipairs(core.registered_on_dignodes) do
			callback(player:get_pos(), { name = "default:dirt" }, player)
		end
	end
end)

-- The NPC's body says from now on that it is nowhere, as an object does whose physics went wrong.
core.register_chatcommand("probe_nowhere", {
	params = "NAME COORDINATE",
	func = function(_, param)
		local name, coordinate = param:match("^(%S+) (%S+)$")
		local at = tonumber(coordinate) or 0 / 0
		local body = townsfolk.object(name):get_luaentity()
		local object = body.object
		body.object = setmetatable({
			get_pos = function()
				return { x = at, y = 9, z = 0 }
			end,
		}, {
			__index = function(_, method)
				return function(_, ...)
					return object[method](object, ...)
				end
			end,
		})
		return true, "nowhere"
	end,
})

-- Puts things into an NPC's bag.
core.register_chatcommand("probe_stock", {
	params = "NAME ITEM COUNT",
	func = function(_, param)
		local name, item, count = param:match("^(%S+) (%S+) (%d+)$")
		townsfolk.object(name):get_luaentity().record.inventory[item] = tonumber(count)
		return true, "stocked"
	end,
})

-- The one public table: what other mods and tests may use. Everything else of this mod is private.

local mod = ...

townsfolk = {
	--- The mod's version.
	version = mod.VERSION,

	--- The time of this mod's work per server step and its counters: `report()`, `reset()`.
	stats = { report = mod.stats.report, reset = mod.stats.reset },

	--- Make an NPC; returns its id, or nil and what is wrong: `persona` (no such one), `position` (no place in a
	-- world), `name` (empty, too long or with markup), `taken` (the name is), `full` (`townsfolk.max_npcs` are there).
	spawn = function(persona, name, pos)
		local clean, problem = mod.newcomers.check(persona, name, pos)
		if not clean then
			return nil, problem
		end
		return mod.npcs.spawn(persona, clean, pos).id
	end,

	--- Remove the NPC of that name; returns whether there was one.
	remove = function(name)
		local record = mod.records.by_name(name)
		if record then
			mod.npcs.remove(record)
		end
		return record ~= nil
	end,

	--- All NPCs, each as `{ id, name, persona, pos, doing, inventory, problem }`.
	list = function()
		local list = {}
		for index, record in ipairs(mod.records.list()) do
			local body = mod.npcs.body(record.id)
			list[index] = {
				id = record.id,
				name = record.name,
				persona = record.persona,
				pos = body and body.object:get_pos() or vector.new(record.pos),
				doing = mod.tasks.doing(record),
				inventory = table.copy(record.inventory),
				problem = mod.npcs.problem(record.id),
			}
		end
		return list
	end,

	--- The entity's object of the NPC of that name, or nil while it has none.
	object = function(name)
		local record = mod.records.by_name(name)
		local body = record and mod.npcs.body(record.id)
		return body and body.object
	end,

	--- Let a player say a line to an NPC; returns true, or nil and the reason.
	talk = function(player_name, npc_name, line)
		local record = mod.records.by_name(npc_name)
		if not record then
			return nil, "unknown"
		end
		return mod.talks.begin(player_name, record, line, "command")
	end,

	--- What `/npc status` shows.
	status = mod.status.text,
}

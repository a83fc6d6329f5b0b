-- Records and bodies together: every NPC has one record, and one body while its part of the world is active.
-- A record without a body gets one, a body without a record goes. Also who is frozen, and who is out of order.

local mod = ...
local records = mod.records

local npcs = {}

local SWEEP_EVERY = 0.5
local SPAWNS_PER_SWEEP = 5

local bodies = {}
local frozen_until = {}
local disabled = {}
local swept_at = 0

--- The NPC's entity in the world, or nil while it has none.
function npcs.body(id)
	local body = bodies[id]
	-- The engine forgets an object without always saying so.
	if body and not body.object:get_pos() then
		bodies[id] = nil
		return nil
	end
	return body
end

--- Called by the entity: this is now the record's body. Returns false when it already has another one.
function npcs.embody(id, body)
	local present = npcs.body(id)
	if present and present ~= body then
		return false
	end
	bodies[id] = body
	return true
end

--- Called by the entity when it goes. Returns whether it was the record's body until then.
function npcs.disembody(id, body)
	if bodies[id] ~= body then
		return false
	end
	bodies[id] = nil
	return true
end

--- All NPCs that have a body, each as `{ id, name, pos, record, body }`.
function npcs.loaded()
	local list = {}
	for _, record in ipairs(records.list()) do
		local body = npcs.body(record.id)
		if body then
			list[#list + 1] = { id = record.id, name = record.name, pos = body.object:get_pos(), record = record, body = body }
		end
	end
	return list
end

local function tell(record, state)
	-- A link that is down needs no telling: the next hello names all NPCs.
	mod.link:send({ type = "npc_state", npc = records.wire(record), state = state })
end

local function add_body(record)
	core.add_entity(record.pos, "townsfolk:npc", record.id)
end

--- Make an NPC at `pos`. The caller has asked `newcomers`.
function npcs.spawn(persona, name, pos, yaw)
	local record = records.add({
		name = name,
		persona = persona,
		pos = pos,
		yaw = yaw,
		inventory = mod.cards.inventory(persona),
	})
	add_body(record)
	tell(record, "spawned")
	return record
end

--- Remove an NPC for good.
function npcs.remove(record)
	local body = npcs.body(record.id)
	mod.tasks.drop(record, "removed by an admin")
	records.remove(record.id)
	bodies[record.id], frozen_until[record.id], disabled[record.id] = nil, nil, nil
	if body then
		body.object:remove()
	end
	mod.talks.drop_npc(record.id)
	tell(record, "removed")
end

--- Put an NPC somewhere else, loaded or not. One that was out of order gets another chance.
function npcs.move(record, pos, yaw)
	local body = npcs.body(record.id)
	mod.tasks.drop(record, "moved by an admin")
	record.pos, record.yaw = vector.new(pos), yaw or record.yaw
	records.save(record)
	disabled[record.id] = nil
	-- A fresh body instead of a moved one: an object does not survive a jump into a part that is not loaded.
	bodies[record.id] = nil
	if body then
		body.object:remove()
	end
	add_body(record)
	tell(record, "moved")
end

--- The NPC does nothing for some seconds.
function npcs.freeze(id, seconds)
	frozen_until[id] = mod.now() + seconds
	local body = npcs.body(id)
	if body then
		mod.walk.halt(body.object)
	end
end

function npcs.is_frozen(id)
	return frozen_until[id] ~= nil and mod.now() < frozen_until[id]
end

--- Something of this NPC threw an error: it stands still until it is moved or the server restarts.
function npcs.disable(record, problem)
	if disabled[record.id] then
		return
	end
	disabled[record.id] = tostring(problem)
	mod.tasks.drop(record, "an error inside the mod; see the server's log")
	mod.log("error", ("NPC %s is switched off after an error: %s; `/npc move %s` wakes it up")
		:format(record.name, tostring(problem), record.name))
	local body = npcs.body(record.id)
	if body then
		mod.walk.halt(body.object)
	end
end

--- Why the NPC is switched off, or nil.
function npcs.problem(id)
	return disabled[id]
end

--- Run something for one NPC: an error switches off this NPC alone. Returns what `guard.run` returns.
function npcs.run(record, where, fn, ...)
	local function check(ok, ...)
		if not ok then
			npcs.disable(record, (...))
		end
		return ok, ...
	end
	return check(mod.guard.run(where .. " of NPC " .. record.name, fn, ...))
end

--- Give bodies to records whose part of the world has become active.
function npcs.step(now)
	if now - swept_at < SWEEP_EVERY then
		return
	end
	swept_at = now
	local spawned = 0
	for _, record in ipairs(records.list()) do
		if spawned >= SPAWNS_PER_SWEEP then
			return
		end
		if not npcs.body(record.id) and core.compare_block_status(record.pos, "active") then
			add_body(record)
			spawned = spawned + 1
		end
	end
end

--- Fill the bags of NPCs that were made before their persona was known.
function npcs.stock()
	for _, record in ipairs(records.list()) do
		local inventory = not record.stocked and mod.cards.inventory(record.persona)
		if inventory then
			record.inventory, record.stocked = inventory, true
			records.save(record)
		end
	end
end

--- Write down where everybody stands, at shutdown.
function npcs.save_all()
	for _, npc in ipairs(npcs.loaded()) do
		npc.body:remember_place()
	end
end

return npcs

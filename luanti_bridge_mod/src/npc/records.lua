-- Who the NPCs are: the one place where that is kept, in mod storage, over restarts. Entities in the world
-- are only bodies of these records; a body carries a record's id and nothing else.

local mod = ...
local bearings, text, storage = mod.bearings, mod.text, mod.storage

local records = {}

local INDEX = "npcs"

local by_id = {}

local function key(id)
	return "npc:" .. id
end

local function is_record(value)
	return type(value) == "table"
		and type(value.id) == "string"
		and type(value.name) == "string"
		and type(value.persona) == "string"
		and type(value.inventory) == "table"
		and bearings.is_position(value.pos)
end

local function save_index()
	local ids = {}
	for id in pairs(by_id) do
		ids[#ids + 1] = id
	end
	table.sort(ids)
	storage:set_string(INDEX, #ids > 0 and core.write_json(ids) or "")
end

--- Write one record; call it after each change.
function records.save(record)
	storage:set_string(key(record.id), core.write_json({
		id = record.id,
		name = record.name,
		persona = record.persona,
		pos = { x = record.pos.x, y = record.pos.y, z = record.pos.z },
		yaw = record.yaw,
		inventory = next(record.inventory) and record.inventory or nil,
		stocked = record.stocked,
		-- Who is followed is followed again after a restart; a walk has nobody left to report to.
		task = record.task and record.task.kind == "follow" and record.task or nil,
	}))
end

local function load_all()
	for _, id in ipairs(mod.read_json(INDEX) or {}) do
		local value = mod.read_json(key(id))
		if type(value) == "table" then
			-- The engine's JSON writer turns an empty table into null.
			value.inventory = value.inventory or {}
		end
		if is_record(value) then
			value.pos = vector.new(value.pos)
			by_id[value.id] = value
		else
			mod.log("error", ("the record of NPC %s is damaged; it is left out and stays in mod storage"):format(id))
		end
	end
end

--- Make an NPC. `options`: name, persona, pos, yaw, inventory (itemstring → count) or nil when not known yet.
function records.add(options)
	local record = {
		id = mod.new_id(),
		name = options.name,
		persona = options.persona,
		pos = vector.new(options.pos),
		yaw = options.yaw or 0,
		inventory = options.inventory or {},
		stocked = options.inventory ~= nil,
	}
	by_id[record.id] = record
	records.save(record)
	save_index()
	return record
end

--- Forget an NPC.
function records.remove(id)
	by_id[id] = nil
	storage:set_string(key(id), "")
	save_index()
end

function records.get(id)
	return by_id[id]
end

--- The NPC of that name, in any case; names are unique.
function records.by_name(name)
	local wanted = text.lower(name)
	for _, record in pairs(by_id) do
		if text.lower(record.name) == wanted then
			return record
		end
	end
	return nil
end

--- All NPCs, by name.
function records.list()
	local list = {}
	for _, record in pairs(by_id) do
		list[#list + 1] = record
	end
	table.sort(list, function(a, b)
		return a.name < b.name
	end)
	return list
end

--- The wire's `NpcRecord`.
function records.wire(record)
	return {
		npc = record.id,
		name = record.name,
		persona = record.persona,
		pos = { x = record.pos.x, y = record.pos.y, z = record.pos.z },
	}
end

load_all()

return records

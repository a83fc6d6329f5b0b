-- Places that people marked with `/npc mark NAME` come in, the places near a position go out.
-- They live in mod storage; NPCs tell the way to them and walk to them.

local mod = ...
local bearings, text, storage = mod.bearings, mod.text, mod.storage

local places = {}

local KEY = "places"
local MAX_PLACES = 200

local marked = {}
for _, place in ipairs(mod.read_json(KEY) or {}) do
	if type(place) == "table" and type(place.name) == "string" and bearings.is_position(place.pos) then
		marked[#marked + 1] = { name = place.name, pos = vector.new(place.pos) }
	end
end

local function save()
	storage:set_string(KEY, #marked > 0 and core.write_json(marked) or "")
end

local function index_of(name)
	local wanted = text.lower(name)
	for index, place in ipairs(marked) do
		if text.lower(place.name) == wanted then
			return index
		end
	end
end

--- Mark a position by name; a name that is taken moves. Returns true, or false and why not.
function places.mark(name, pos)
	local index = index_of(name)
	if not index and #marked >= MAX_PLACES then
		return false, "full"
	end
	marked[index or #marked + 1] = { name = name, pos = vector.round(pos) }
	save()
	return true
end

--- Forget a place. Returns whether there was one of that name.
function places.unmark(name)
	local index = index_of(name)
	if not index then
		return false
	end
	table.remove(marked, index)
	save()
	return true
end

--- The place of that name in any case, or nil.
function places.by_name(name)
	return marked[index_of(name)]
end

--- All places within `reach` nodes of `pos`, nearest first, each as `{ name, pos, distance }`.
function places.near(pos, reach)
	local found = {}
	for _, place in ipairs(marked) do
		local distance = bearings.distance(pos, place.pos)
		if distance <= reach then
			found[#found + 1] = { name = place.name, pos = place.pos, distance = distance }
		end
	end
	table.sort(found, function(a, b)
		return a.distance < b.distance
	end)
	return found
end

return places

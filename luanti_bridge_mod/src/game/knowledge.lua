-- All that this game registers comes in once: items, their descriptions and groups, and crafting recipes.
-- A hash of it and, when the runtime asks, the wire's `Knowledge` messages go out, a little per server step.
-- The order is the same in every start of the same game, so the hash is too.

local mod = ...
local text = mod.text

local knowledge = { hash = nil }

-- Few rows per message keep the step that packs it short; very large games get larger ones.
local ROWS_PER_PART = 25
local MAX_PARTS = 1000
local BUDGET_IDLE_US = 2000
local BUDGET_US = 1000
-- Beyond it the engine itself keeps none.
local MAX_RATING = 2 ^ 31

local items, recipes = {}, {}
local builder
local sending

local function description_of(definition)
	-- Expands the arguments of translated strings into the game's own language; there from the first step on.
	local raw = core.get_translated_string("", definition.description or "")
	return text.line(raw:match("^[^\n]*"), 200)
end

local function groups_of(definition)
	local groups = {}
	for group, rating in pairs(definition.groups or {}) do
		if type(group) == "string" and type(rating) == "number" and rating == math.floor(rating) and rating ~= 0
			and math.abs(rating) < MAX_RATING then
			groups[group] = rating
		end
	end
	return groups
end

local function recipe_row(output, recipe)
	local stack = ItemStack(recipe.output)
	if stack:is_empty() or stack:get_count() > 65535 then
		return nil
	end
	local inputs = {}
	-- `items` has holes where the grid is empty; a grid has at most 9 × 9 places.
	for slot = 1, 81 do
		local input = recipe.items[slot]
		if input and input ~= "" then
			inputs[#inputs + 1] = (core.registered_aliases[input] or input):sub(1, 100)
		end
	end
	local method = recipe.method
	if method == "normal" and recipe.width == 0 then
		method = "shapeless"
	end
	if method ~= "normal" and method ~= "shapeless" and method ~= "cooking" or #inputs == 0 then
		return nil
	end
	return { output = output, count = stack:get_count(), method = method, inputs = inputs }
end

-- Chained, so that no step has to hash everything at once.
local function extend(hash, row)
	return core.sha1(hash .. row)
end

local function sorted_keys(map)
	local keys = {}
	for key in pairs(map) do
		keys[#keys + 1] = key
	end
	table.sort(keys)
	return keys
end

local function item_line(item)
	local parts = { item.name, item.description }
	for _, group in ipairs(sorted_keys(item.groups)) do
		parts[#parts + 1] = group .. "=" .. item.groups[group]
	end
	return table.concat(parts, "\t")
end

local function recipe_line(recipe)
	return table.concat({ recipe.output, recipe.count, recipe.method, table.concat(recipe.inputs, ",") }, "\t")
end

-- Items that creative inventories hide, such as a burning furnace, come last: a name belongs first to what players hold.
local function names_in_order()
	local shown, hidden = {}, {}
	for name, definition in pairs(core.registered_items) do
		if name ~= "" and #name <= 100 then
			local groups = definition.groups or {}
			local list = (tonumber(groups.not_in_creative_inventory) or 0) > 0 and hidden or shown
			list[#list + 1] = name
		end
	end
	table.sort(shown)
	table.sort(hidden)
	for _, name in ipairs(hidden) do
		shown[#shown + 1] = name
	end
	return shown
end

local function build(names)
	local hash = core.sha1("townsfolk catalogue 1")
	for _, name in ipairs(names) do
		local definition = core.registered_items[name]
		local item = { name = name, description = description_of(definition), groups = groups_of(definition) }
		-- What has no name for players is machinery of some mod.
		if item.description ~= "" then
			items[#items + 1] = item
			hash = extend(hash, item_line(item))
		end
		local lines, rows = {}, {}
		for _, recipe in ipairs(core.get_all_craft_recipes(name) or {}) do
			local row = recipe_row(name, recipe)
			if row then
				local line = recipe_line(row)
				lines[#lines + 1] = line
				rows[line] = row
			end
		end
		table.sort(lines)
		for _, line in ipairs(lines) do
			recipes[#recipes + 1] = rows[line]
			hash = extend(hash, line)
		end
		coroutine.yield()
	end
	knowledge.hash = hash
	mod.log("info", ("catalogue %s: %d items, %d recipes"):format(hash:sub(1, 8), #items, #recipes))
end

-- Without a catalogue the NPCs still talk; they only know no recipes.
local function give_up(problem)
	builder = nil
	items, recipes = {}, {}
	knowledge.hash = core.sha1("townsfolk catalogue unreadable")
	error(problem)
end

--- Note what there is, once all mods are loaded; the work itself is done by `step`.
function knowledge.begin()
	local ok, names = pcall(names_in_order)
	if not ok then
		give_up(names)
	end
	builder = coroutine.create(function()
		build(names)
	end)
end

local function build_some()
	local budget = #core.get_connected_players() == 0 and BUDGET_IDLE_US or BUDGET_US
	local stop = core.get_us_time() + budget
	repeat
		local ok, problem = coroutine.resume(builder)
		if not ok then
			give_up(problem)
		end
	until coroutine.status(builder) == "dead" or core.get_us_time() >= stop
	if coroutine.status(builder) == "dead" then
		builder = nil
	end
end

--- The runtime does not know this catalogue: send it from the first part on.
function knowledge.send()
	local rows = #items + #recipes
	local per_part = math.max(ROWS_PER_PART, math.ceil(rows / MAX_PARTS))
	sending = { part = 1, parts = math.max(1, math.ceil(rows / per_part)), per_part = per_part }
end

local function slice(part, per_part)
	local part_items, part_recipes = {}, {}
	for index = (part - 1) * per_part + 1, math.min(part * per_part, #items + #recipes) do
		if index <= #items then
			part_items[#part_items + 1] = items[index]
		else
			part_recipes[#part_recipes + 1] = recipes[index - #items]
		end
	end
	return part_items, part_recipes
end

local function send_rows(part_items, part_recipes)
	return mod.link:send({
		type = "knowledge",
		catalogue = knowledge.hash,
		part = sending.part,
		parts = sending.parts,
		items = part_items,
		recipes = part_recipes,
	})
end

local function send_part()
	local sent, problem = send_rows(slice(sending.part, sending.per_part))
	if not sent and problem ~= "down" and problem ~= "full" then
		-- The other parts are worth having.
		mod.log("error", ("part %d of the catalogue cannot be sent: %s"):format(sending.part, tostring(problem)))
		sent, problem = send_rows({}, {})
	end
	if problem == "full" then
		return
	elseif not sent then
		sending = nil  -- the link went down; the next welcome asks again
		return
	end
	sending.part = sending.part + 1
	if sending.part > sending.parts then
		sending = nil
	end
end

--- A little work: build while there is something to build, then send one part per step when asked.
function knowledge.step()
	if builder then
		build_some()
	elseif sending then
		send_part()
	end
end

return knowledge

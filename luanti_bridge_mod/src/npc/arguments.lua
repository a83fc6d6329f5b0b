-- An action's name and arguments come in from the wire, the checked arguments or the reason against them go
-- out. The second of three checks: the runtime's policy came before, the world's own state comes after. Pure:
-- the table of actions, which `exporters/actions.py` writes, is passed in.

local mod = ...
local definitions = mod.action_table
local text = mod.text

local arguments = {}

local function contains(list, value)
	for _, entry in ipairs(list) do
		if entry == value then
			return true
		end
	end
	return false
end

local function is_count(value, most)
	return type(value) == "number" and value == math.floor(value) and value >= 1 and value <= most
end

local CHECKS = {
	count = function(value)
		return is_count(value, definitions.max_count)
	end,
	seconds = function(value)
		return is_count(value, definitions.max_seconds)
	end,
	direction = function(value)
		return contains(definitions.directions, value)
	end,
	emote = function(value)
		return contains(definitions.emotes, value)
	end,
}

local function is_words(value)
	return type(value) == "string"
		and value ~= ""
		and #value <= definitions.max_text * 4
		and text.line(value, definitions.max_text) == value
end

--- The action's row and the arguments as a fresh table; or nil and the reason.
function arguments.check(name, given)
	local row = type(name) == "string" and definitions.actions[name]
	if not row then
		return nil, "there is no such action"
	elseif not row.executed then
		return nil, "this mod cannot do that yet"
	elseif type(given) ~= "table" then
		return nil, "the arguments are no map"
	end
	local checked, known = {}, {}
	for _, argument in ipairs(row.arguments) do
		local value = given[argument.name]
		known[argument.name] = true
		if value == nil then
			if argument.required then
				return nil, ("argument %s is missing"):format(argument.name)
			end
		elseif not (CHECKS[argument.kind] or is_words)(value) then
			return nil, ("argument %s is not a usable %s"):format(argument.name, argument.kind)
		end
		checked[argument.name] = value
	end
	for key in pairs(given) do
		if not known[key] then
			return nil, "there is an argument too many"
		end
	end
	return row, checked
end

return arguments

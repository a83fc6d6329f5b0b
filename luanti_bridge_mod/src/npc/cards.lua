-- The personas' cards come in with each welcome; what a persona carries and what it says while the model
-- cannot speak goes out, also when the runtime has not been seen since the last restart. Lines of our own
-- stand in where no card is known.

local mod = ...
local text, storage = mod.text, mod.storage

local cards = {}

local KEY = "personas"
local MAX_CARDS, MAX_LINES, MAX_STACKS = 200, 24, 64
local KINDS = { "greeting", "offline", "late", "busy", "slow_down", "idle" }

local BUILT_IN = {
	greeting = { "Hello there.", "Good day to you." },
	offline = {
		"I cannot gather my thoughts just now. Ask me again in a while.",
		"My head is empty today. Come back a little later.",
		"Forgive me, I am not quite myself at the moment.",
	},
	late = { "Hm. I lost the thread. Ask me that once more?", "Let me think about that. Try me again." },
	busy = { "One moment, somebody else was first.", "Too many at once. Give me a moment." },
	slow_down = { "Slowly, please. One thing at a time.", "You talk faster than I can listen." },
	idle = { "Nice weather, all in all.", "Hm, hm.", "What a day." },
}

local known = {}

local function clean_lines(lines)
	local cleaned = {}
	for index = 1, math.min(MAX_LINES, type(lines) == "table" and #lines or 0) do
		local line = text.line(lines[index], 300)
		if line ~= "" then
			cleaned[#cleaned + 1] = line
		end
	end
	return cleaned
end

local function clean_inventory(stacks)
	local inventory = {}
	for index = 1, math.min(MAX_STACKS, type(stacks) == "table" and #stacks or 0) do
		local stack = stacks[index]
		if type(stack) == "table" and type(stack.item) == "string" and type(stack.count) == "number" and stack.count >= 1 then
			inventory[#inventory + 1] = { item = stack.item:sub(1, 100), count = math.min(math.floor(stack.count), 100000) }
		end
	end
	return inventory
end

local function clean_card(card)
	if type(card) ~= "table" or type(card.persona) ~= "string" or not card.persona:find("^[a-z0-9_-]+$") then
		return nil
	end
	local cleaned = {
		persona = card.persona:sub(1, 40),
		name = text.line(card.name, 40),
		role = text.line(card.role, 200),
		inventory = clean_inventory(card.inventory),
	}
	for _, kind in ipairs(KINDS) do
		cleaned[kind] = clean_lines(card[kind])
	end
	return cleaned
end

local function take(list)
	local found = {}
	for index = 1, math.min(MAX_CARDS, type(list) == "table" and #list or 0) do
		local card = clean_card(list[index])
		if card then
			found[card.persona] = card
		end
	end
	return found
end

--- Keep the cards of a welcome, in place of those before.
function cards.keep(list)
	known = take(list)
	local kept = {}
	for _, id in ipairs(cards.ids()) do
		kept[#kept + 1] = known[id]
	end
	storage:set_string(KEY, #kept > 0 and core.write_json(kept) or "")
end

function cards.get(persona)
	return known[persona]
end

--- The ids of all known personas, sorted; empty when the runtime was never seen.
function cards.ids()
	local ids = {}
	for id in pairs(known) do
		ids[#ids + 1] = id
	end
	table.sort(ids)
	return ids
end

--- One of the persona's lines of this kind, or one of our own; nil only for `idle` of a persona that has none.
function cards.line(persona, kind)
	local card = known[persona]
	local lines = card and card[kind] or BUILT_IN[kind]
	if #lines == 0 then
		if kind == "idle" then
			return nil
		end
		lines = BUILT_IN[kind]
	end
	return lines[math.random(#lines)]
end

--- What a new NPC of that persona carries (itemstring → count); nil when the persona is not known.
-- Items that this game does not have are left out.
function cards.inventory(persona)
	local card = known[persona]
	if not card then
		return nil
	end
	local inventory = {}
	for _, stack in ipairs(card.inventory) do
		local name = core.registered_aliases[stack.item] or stack.item
		if core.registered_items[name] then
			inventory[name] = (inventory[name] or 0) + stack.count
		end
	end
	return inventory
end

known = take(mod.read_json(KEY))

return cards

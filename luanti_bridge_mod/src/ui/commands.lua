-- The chat commands `/npc …` and `/ai say "…"`: a line of parameters comes in, the subcommand that it names runs,
-- and the player is told what happened or what to do.

local mod = ...
local address, bearings, npcs, talks = mod.address, mod.bearings, mod.npcs, mod.talks
local S = mod.S

local commands = {}

local by_name = {}

--- Say a line to an NPC by command. Returns whether it will be answered, and what to tell the player.
function commands.say(player_name, pos, record, line)
	local body = npcs.body(record.id)
	-- Asked this way round, a position that is no number is too far away.
	local near = body and bearings.distance(pos, body.object:get_pos()) <= mod.settings.named_distance
	if not near then
		return false, S("@1 is too far away to hear you.", record.name)
	end
	local begun, problem = talks.begin(player_name, record, line, "command")
	if begun then
		return true
	elseif problem == "mute" then
		return false, S("You may not speak here (no shout privilege).")
	elseif problem == "fast" then
		return false, S("You are too fast. Wait a few seconds.")
	end
	return false, S("Say something, too: /npc talk @1 Hello!", record.name)
end

local function usage(player_name)
	local lines = {}
	for _, definition in ipairs(mod.subcommands) do
		if core.check_player_privs(player_name, definition.privs) then
			local head = ("/npc %s %s"):format(definition.name, definition.params):gsub(" $", "")
			lines[#lines + 1] = S("@1: @2", head, definition.help)
		end
	end
	return table.concat(lines, "\n")
end

local function run_npc(player_name, param)
	local name, rest = param:match("^(%S+)%s*(.-)%s*$")
	if not name or name == "help" then
		return true, usage(player_name)
	end
	local definition = by_name[name]
	if not definition then
		return false, S("There is no /npc @1. /npc help shows all.", mod.text.line(name, 40))
	end
	local may, missing = core.check_player_privs(player_name, definition.privs)
	if not may then
		return false, S("You lack the privilege @1 for /npc @2.", table.concat(missing, ", "), name)
	end
	local words = {}
	for word in rest:gmatch("%S+") do
		words[#words + 1] = word
	end
	return definition.run(player_name, words, rest)
end

local function run_ai(player_name, param)
	local line = param:match('^say%s+"(.*)"%s*$') or param:match("^say%s+(.+)$")
	if not line then
		return false, S('Use: /ai say "Hello!"')
	end
	local player = core.get_player_by_name(player_name)
	if not player then
		return false, S("You have to be in the game for this.")
	end
	local npc = address.nearest(player:get_pos(), npcs.loaded(), mod.settings.named_distance)
	if not npc then
		return false, S("Nobody is near who could hear you. /npc list shows where the NPCs are.")
	end
	return commands.say(player_name, player:get_pos(), npc.record, line)
end

-- An error inside is logged; the player must not be left without a word.
local function guarded(where, run)
	return function(player_name, param)
		-- The engine passes on whatever was typed.
		local ok, done, message = mod.guard.run(where, run, player_name, param:sub(1, 2000))
		if not ok then
			return false, S("Something went wrong inside the mod; the server's log says what.")
		end
		return done, message
	end
end

function commands.register()
	for _, definition in ipairs(mod.subcommands) do
		assert(type(definition.name) == "string" and definition.name:find("^%l+$"), "a subcommand needs a name")
		assert(type(definition.params) == "string", definition.name .. ": params is missing")
		assert(type(definition.help) == "string" and definition.help ~= "", definition.name .. ": help is missing")
		assert(type(definition.privs) == "table", definition.name .. ": privs is missing")
		assert(type(definition.run) == "function", definition.name .. ": run is missing")
		assert(not by_name[definition.name], definition.name .. ": defined twice")
		by_name[definition.name] = definition
	end
	core.register_privilege("npc_admin", {
		description = S("May make, move and remove NPCs, and name places for them"),
		give_to_singleplayer = true,
	})
	core.register_chatcommand("npc", {
		params = "help | spawn | remove | move | list | talk | mark | unmark | places | rate | good | bad | better | privacy | status",
		description = S("NPCs: make them, talk with them, rate what they say (/npc help)"),
		func = guarded("/npc", run_npc),
	})
	core.register_chatcommand("ai", {
		params = 'say "TEXT"',
		description = S("Say something to the nearest NPC"),
		func = guarded("/ai", run_ai),
	})
end

return commands

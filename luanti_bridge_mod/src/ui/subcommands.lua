-- The definitions of `/npc …`: name, parameters, help, privileges, and what to do. Each `run(player_name, words,
-- rest)` returns whether it worked and what to tell the player; `words` are the parameters split at spaces.

local mod = ...
local bearings, npcs, records, text = mod.bearings, mod.npcs, mod.records, mod.text
local S = mod.S

local ADMIN = { npc_admin = true }

local function position_of(player_name)
	local player = core.get_player_by_name(player_name)
	return player and player:get_pos(), player
end

local function not_in_game()
	return false, S("You have to be in the game for this.")
end

local function no_such_npc(name)
	if #records.list() == 0 then
		return false, S("There are no NPCs yet. Make one with /npc spawn PERSONA [NAME].")
	end
	return false, S("There is no NPC called “@1”. /npc list shows all.", name)
end

local function bad_name()
	return false, S("A name has 1 to @1 characters and no brackets, quotes or colons.", text.MAX_NAME)
end

local function no_such_persona()
	local known = mod.cards.ids()
	if #known == 0 then
		return false, S("Name a persona in small letters, such as “miner”. The runtime has not told any yet.")
	end
	return false, S("There is no such persona. Known: @1.", table.concat(known, ", "))
end

local function spawn(player_name, words, rest)
	local pos, player = position_of(player_name)
	if not pos then
		return not_in_game()
	end
	local persona = words[1]
	local card = persona and mod.cards.get(persona)
	local wanted = rest:match("^%S+%s+(.+)$") or (card and card.name) or persona
	local name, problem = mod.newcomers.check(persona, wanted, pos)
	if problem == "persona" then
		return no_such_persona()
	elseif problem == "taken" then
		return false, S("There is an NPC called “@1” already. Give another name: /npc spawn @2 NAME.", text.name(wanted), persona)
	elseif problem == "full" then
		return false, S("There are @1 NPCs, as many as townsfolk.max_npcs allows.", mod.settings.max_npcs)
	elseif problem == "position" then
		return not_in_game()
	elseif not name then
		return bad_name()
	end
	npcs.spawn(persona, name, pos, bearings.yaw(pos, vector.add(pos, vector.multiply(player:get_look_dir(), -1))))
	if not card then
		return true, S("@1 is here. The runtime has not been seen yet, so the persona “@2” is taken on trust.", name, persona)
	end
	return true, S("@1 is here.", name)
end

local function remove(_, _, rest)
	local record = records.by_name(rest)
	if not record then
		return no_such_npc(rest)
	end
	npcs.remove(record)
	return true, S("@1 is gone for good.", record.name)
end

local function move(player_name, _, rest)
	local pos, player = position_of(player_name)
	if not pos then
		return not_in_game()
	end
	local record = records.by_name(rest)
	if not record then
		return no_such_npc(rest)
	end
	npcs.move(record, pos, player:get_look_horizontal())
	return true, S("@1 is here now.", record.name)
end

local function state_of(record)
	local problem = npcs.problem(record.id)
	if problem then
		return S("switched off after an error: @1", problem)
	elseif not npcs.body(record.id) then
		return S("asleep, nobody is near")
	elseif npcs.is_frozen(record.id) then
		return S("frozen")
	end
	local doing = mod.tasks.doing(record)
	return doing ~= "" and doing or S("standing")
end

local function list()
	local lines = {}
	for _, record in ipairs(records.list()) do
		local body = npcs.body(record.id)
		local pos = core.pos_to_string(vector.round(body and body.object:get_pos() or record.pos))
		lines[#lines + 1] = S("@1 (@2) at @3: @4", record.name, record.persona, pos, state_of(record))
	end
	if #lines == 0 then
		return true, S("There are no NPCs yet. Make one with /npc spawn PERSONA [NAME].")
	end
	return true, table.concat(lines, "\n")
end

-- The NPC whose name the parameters begin with, longest name first, and the rest of them.
local function leading_npc(rest)
	local found
	for _, record in ipairs(records.list()) do
		local head = text.lower(rest:sub(1, #record.name))
		if head == text.lower(record.name) and rest:find("^%s", #record.name + 1)
			and (not found or #record.name > #found.name) then
			found = record
		end
	end
	return found, found and rest:sub(#found.name + 1)
end

local function talk(player_name, words, rest)
	local pos = position_of(player_name)
	if not pos then
		return not_in_game()
	end
	local record, line = leading_npc(rest)
	if not record then
		if words[1] and records.by_name(rest) then
			return false, S("Say something, too: /npc talk @1 Hello!", rest)
		end
		return no_such_npc(words[1] or "")
	end
	return mod.commands.say(player_name, pos, record, line)
end

local function mark(player_name, _, rest)
	local pos = position_of(player_name)
	if not pos then
		return not_in_game()
	end
	local name = text.name(rest)
	if not name then
		return bad_name()
	elseif not mod.places.mark(name, pos) then
		return false, S("There are too many places. Forget one with /npc unmark NAME.")
	end
	return true, S("This is “@1” from now on.", name)
end

local function unmark(_, _, rest)
	if not mod.places.unmark(rest) then
		return false, S("There is no place called “@1”. /npc places shows all.", rest)
	end
	return true, S("“@1” is forgotten.", rest)
end

local function places(player_name)
	local pos = position_of(player_name) or vector.new(0, 0, 0)
	local lines = {}
	for _, place in ipairs(mod.places.near(pos, math.huge)) do
		lines[#lines + 1] = S("@1 at @2", place.name, core.pos_to_string(place.pos))
	end
	if #lines == 0 then
		return true, S("No places are marked. Stand somewhere and use /npc mark NAME.")
	end
	return true, table.concat(lines, "\n")
end

local function rate(player_name, words)
	local value = tonumber(words[1] or "")
	if not value or value ~= math.floor(value) or value < 1 or value > 5 or words[2] then
		return false, S("Give a number from 1 (bad) to 5 (good): /npc rate 4")
	end
	return mod.ratings.rate(player_name, value, "stars")
end

local function good(player_name)
	return mod.ratings.rate(player_name, 5, "thumb")
end

local function bad(player_name)
	return mod.ratings.rate(player_name, 1, "thumb")
end

local function better(player_name, _, rest)
	return mod.ratings.better(player_name, rest)
end

local function privacy(player_name, words)
	if not words[1] then
		return true, mod.privacy.text(player_name)
	end
	return mod.privacy.choose(player_name, words[2] and "" or words[1])
end

local function status()
	return true, mod.status.text()
end

return {
	{ name = "spawn", params = "PERSONA [NAME]", help = S("make an NPC where you stand"), privs = ADMIN, run = spawn },
	{ name = "remove", params = "NAME", help = S("remove an NPC for good"), privs = ADMIN, run = remove },
	{ name = "move", params = "NAME", help = S("bring an NPC to where you stand"), privs = ADMIN, run = move },
	{ name = "list", params = "", help = S("show all NPCs"), privs = {}, run = list },
	{ name = "talk", params = "NAME TEXT", help = S("say something to an NPC"), privs = { shout = true }, run = talk },
	{ name = "mark", params = "NAME", help = S("name the place where you stand"), privs = ADMIN, run = mark },
	{ name = "unmark", params = "NAME", help = S("forget a place"), privs = ADMIN, run = unmark },
	{ name = "places", params = "", help = S("show all places"), privs = {}, run = places },
	{ name = "rate", params = "1-5", help = S("rate the last reply to you"), privs = {}, run = rate },
	{ name = "good", params = "", help = S("the last reply to you was good"), privs = {}, run = good },
	{ name = "bad", params = "", help = S("the last reply to you was bad"), privs = {}, run = bad },
	{ name = "better", params = "TEXT", help = S("say what the last reply to you should have been"), privs = {}, run = better },
	{ name = "privacy", params = "[allow|withdraw|erase]", help = S("what is stored of your talk, and your choice"),
		privs = {}, run = privacy },
	{ name = "status", params = "", help = S("show the link and the mod's work"), privs = {}, run = status },
}

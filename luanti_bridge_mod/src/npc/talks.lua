-- A player's line to an NPC comes in and goes to the runtime; the reply's words come back and go out as speech.
-- A line is always answered: by the model, by a line of the runtime's, or, when neither comes in time, by one
-- of the persona's own. What comes for a player who left or an NPC that is not there any more is thrown away.

local mod = ...
local cards, npcs, speech, text = mod.cards, mod.npcs, mod.speech, mod.text

local talks = {}

local MAX_OPEN = 500
-- Within 3 s after the link is lost there is an answer; the rest is for the server steps until it is seen.
local LINK_PATIENCE = 2.75
-- Against floods from forms, which the engine does not limit as it does the chat; the runtime's limit is the finer one.
local lines = mod.pace.new(20, 10)
local MAX_HISTORY = 6
local ATTENTION = 20

-- By chat id: { id, npc (record), player, line, asked, moved (last progress), reply, reply_id, exchange }.
local open = {}
local open_count = 0
local history = {}
local last_replies = {}
local later = {}

local function close(talk)
	if open[talk.id] then
		open[talk.id] = nil
		open_count = open_count - 1
	end
end

local function changed(talk)
	talk.exchange.reply = talk.reply:whole()
	mod.dialog.refresh(talk.player, talk.npc.id)
end

-- `kind` is what a canned line is for, or nil.
local function speak(talk, sentence, kind)
	if not sentence then
		return
	elseif kind == "slow_down" then
		-- Nobody else shall hear of one player's haste.
		speech.tell(talk.npc, sentence, talk.player)
	else
		speech.say(talk.npc, sentence, talk.player)
		speech.show(talk.npc, sentence)
	end
end

local function speak_canned(talk, line, kind)
	close(talk)
	talk.exchange.reply, talk.exchange.done = line, true
	speak(talk, line, kind)
	mod.dialog.refresh(talk.player, talk.npc.id)
end

-- A line of the persona's own, in the next server step: the player's line must stand in the chat before it.
local function answer_canned(talk, kind)
	mod.stats.count("canned_" .. kind)
	later[#later + 1] = { talk = talk, line = cards.line(talk.npc.persona, kind), kind = kind }
end

local function new_exchange(npc_id, player_name, line)
	local by_player = history[player_name] or {}
	history[player_name] = by_player
	local list = by_player[npc_id] or {}
	by_player[npc_id] = list
	list[#list + 1] = { line = line, reply = "", done = false }
	if #list > MAX_HISTORY then
		table.remove(list, 1)
	end
	return list[#list]
end

local function snapshot_of(body, record, player, now)
	return mod.snapshot.take({
		id = record.id,
		pos = body.object:get_pos(),
		inventory = record.inventory,
		doing = mod.tasks.doing(record),
	}, player, now)
end

local function ask(talk, body, player, how)
	local snapshot = snapshot_of(body, talk.npc, player, talk.asked)
	if not snapshot then
		return false
	end
	local sent, problem = mod.link:send({
		type = "chat",
		id = talk.id,
		npc = talk.npc.id,
		player = talk.player,
		text = talk.line,
		how = how,
		snapshot = snapshot,
	})
	if not sent and problem ~= "down" then
		mod.log("warning", ("a line to %s could not be sent: %s"):format(talk.npc.name, tostring(problem)))
	end
	return sent
end

--- A player says `raw` to an NPC. `how` is the wire's: named, near, form or command. Returns true when the line
-- will be answered, or nil and `empty`, `mute`, `away` or `fast`, when there is nothing to answer, nobody to do it,
-- or one line of too many, of which the NPC has said so already.
function talks.begin(player_name, record, raw, how)
	local now, player = mod.now(), core.get_player_by_name(player_name)
	if not player then
		return nil, "empty"
	end
	-- Before anything that costs time.
	local in_pace, is_first = lines:take(player_name, now)
	if not in_pace and not is_first then
		mod.stats.count("lines_ignored")
		return nil, "fast"
	end
	local line, body = text.line(raw, text.MAX_LINE), npcs.body(record.id)
	if line == "" then
		return nil, "empty"
	elseif not core.check_player_privs(player_name, "shout") then
		return nil, "mute"
	elseif not body then
		return nil, "away"
	end
	local talk = {
		id = mod.new_id(),
		npc = record,
		player = player_name,
		line = line,
		asked = now,
		moved = now,
		reply = mod.replies.new(),
		exchange = new_exchange(record.id, player_name, line),
	}
	if not in_pace or npcs.problem(record.id) then
		answer_canned(talk, in_pace and "offline" or "slow_down")
		return true
	end
	body:attend(player_name, ATTENTION)
	if open_count >= MAX_OPEN then
		answer_canned(talk, "busy")
	elseif ask(talk, body, player, how) then
		open[talk.id] = talk
		open_count = open_count + 1
		speech.show(record, "…", mod.settings.reply_deadline)
	else
		answer_canned(talk, "offline")
	end
	return true
end

-- The talk that a message of the runtime's belongs to; nil when there is none any more, or it is another's.
local function talk_of(message)
	local talk = open[message.chat]
	if not talk or message.npc ~= talk.npc.id or message.player ~= talk.player
		or (talk.reply_id and talk.reply_id ~= message.reply) then
		mod.stats.count("replies_discarded")
		return nil
	end
	talk.reply_id = message.reply
	return talk
end

--- The handler of `reply_delta`.
function talks.on_delta(message)
	local talk = talk_of(message)
	if not talk then
		return
	end
	local sentences, moved = talk.reply:take(message)
	if not moved then
		return
	end
	talk.moved = mod.now()
	for _, sentence in ipairs(sentences) do
		speak(talk, sentence)
	end
	if talk.reply.open ~= "" then
		speech.show(talk.npc, talk.reply:whole())
	end
	changed(talk)
end

--- The handler of `reply_done`.
function talks.on_done(message)
	local talk = talk_of(message)
	if not talk then
		return
	end
	local rest = talk.reply:finish(message.text)
	close(talk)
	speak(talk, rest, message.source)
	if not talk.reply:has_spoken() or message.source == "slow_down" then
		-- An action was the whole answer, or nothing was said aloud.
		speech.hush(talk.npc)
	end
	talk.exchange.done = true
	changed(talk)
	if message.source == "model" then
		last_replies[talk.player] = { id = message.reply, npc = talk.npc.name, npc_id = talk.npc.id, text = talk.reply:whole() }
		mod.privacy.ask_once(talk.player)
	else
		mod.stats.count("runtime_" .. tostring(message.source))
	end
end

--- The handler of `error`: a line that the runtime did not accept is answered all the same.
function talks.on_error(message)
	mod.log("warning", ("the runtime answers %s: %s"):format(text.line(message.code, 40), text.line(message.message, 300)))
	local talk = open[message.of]
	if talk then
		close(talk)
		answer_canned(talk, "late")
	end
end

local function look_after(talk, now)
	if not npcs.body(talk.npc.id) then
		close(talk)
		mod.stats.count("replies_discarded")
	elseif talk.reply:has_spoken() then
		if now - talk.moved > mod.settings.reply_deadline then
			speak(talk, talk.reply:flush())
			talk.exchange.done = true
			close(talk)
			changed(talk)
		end
	elseif now - talk.asked > mod.settings.reply_deadline then
		local begun = talk.reply:flush()
		if begun then
			speak(talk, begun)
		else
			close(talk)
			answer_canned(talk, "late")
		end
	elseif mod.link:down_for() > LINK_PATIENCE then
		close(talk)
		answer_canned(talk, "offline")
	end
end

--- Speak what was put off, and see to the lines whose answer is overdue.
function talks.step(now)
	if #later > 0 then
		local due = later
		later = {}
		for _, canned in ipairs(due) do
			if core.get_player_by_name(canned.talk.player) then
				speak_canned(canned.talk, canned.line, canned.kind)
			end
		end
	end
	for _, talk in pairs(open) do
		look_after(talk, now)
	end
end

--- The player left: nothing more is said to them.
function talks.drop_player(player_name)
	for _, talk in pairs(open) do
		if talk.player == player_name then
			close(talk)
		end
	end
	lines:drop(player_name)
	history[player_name], last_replies[player_name] = nil, nil
end

--- The NPC is gone.
function talks.drop_npc(npc_id)
	for _, talk in pairs(open) do
		if talk.npc.id == npc_id then
			close(talk)
		end
	end
	for _, by_npc in pairs(history) do
		by_npc[npc_id] = nil
	end
end

--- The last exchanges of a player with an NPC, oldest first, each as `{ line, reply, done }`.
function talks.history(npc_id, player_name)
	return history[player_name] and history[player_name][npc_id] or {}
end

--- The last reply of the model's to a player, as `{ id, npc, npc_id, text }`, or nil.
function talks.last_reply(player_name)
	return last_replies[player_name]
end

--- How many lines wait for an answer.
function talks.open_count()
	return open_count
end

return talks

-- A player's verdict on the last reply, or a better wording for it, comes in; a kept message for the runtime, a
-- thank-you and a word to the admins go out. Players judge only what was said to themselves: the reply's id is never
-- taken from them. Saying the same again is no second verdict, and of one reply only so many are taken: each is kept
-- until the runtime has it, so a changed client could fill the store for everybody.

local mod = ...
local S = mod.S

local ratings = {}

local SHOWN_TEXT = 60
local MAX_VERDICTS = 10

-- By reply, as long as `talks` remembers it: { count, rating, wording }, the last ones that were kept.
local verdicts = setmetatable({}, { __mode = "k" })

local function tell_admins(player_name, reply, words)
	for _, player in ipairs(core.get_connected_players()) do
		local name = player:get_player_name()
		if name ~= player_name and core.check_player_privs(name, "npc_admin") then
			core.chat_send_player(name, S("[Townsfolk] @1 rated @2's reply: @3. “@4”",
				player_name, reply.npc, words, mod.text.clean(reply.text, SHOWN_TEXT)))
		end
	end
end

-- Keep a message about a reply, unless it says the same as the last one of its kind. `what` is `rating` or `wording`.
-- Returns `kept` or `same`, or nil and what to tell the player.
local function keep(reply, what, said, kind, fields)
	local given = verdicts[reply] or { count = 0 }
	verdicts[reply] = given
	if given[what] == said then
		return "same"
	elseif given.count >= MAX_VERDICTS then
		return nil, S("You have judged this reply often enough. Talk on, and judge the next one.")
	elseif not mod.keeping.keep(kind, fields) then
		return nil, S("Your rating could not be kept just now. Please try again later.")
	end
	given.count, given[what] = given.count + 1, said
	return "kept"
end

--- Rate the last reply to that player. `value` is 1 to 5; `scale` is `stars` or `thumb`. With `npc_id`, only when
-- that reply was this NPC's. Returns true or false, and what to tell the player.
function ratings.rate(player_name, value, scale, npc_id)
	local reply = mod.talks.last_reply(player_name)
	if not reply or (npc_id and reply.npc_id ~= npc_id) then
		return false, S("There is no reply to rate yet. Talk with somebody first.")
	end
	local outcome, problem = keep(reply, "rating", scale .. value, "rating",
		{ reply = reply.id, player = player_name, value = value, scale = scale })
	if not outcome then
		return false, problem
	end
	local words = scale == "stars" and S("@1 of 5", value) or (value == 5 and S("good") or S("bad"))
	if outcome == "kept" then
		mod.log("action", ("%s rates reply %s of %s: %d (%s)"):format(player_name, reply.id, reply.npc, value, scale))
		tell_admins(player_name, reply, words)
	end
	return true, S("Thank you. @1's last reply: @2.", reply.npc, words)
end

--- Say how the last reply to that player should have been. Returns true or false, and what to tell the player.
function ratings.better(player_name, raw)
	local reply = mod.talks.last_reply(player_name)
	local wording = mod.text.line(raw, mod.text.MAX_LINE)
	if not reply then
		return false, S("There is no reply to rate yet. Talk with somebody first.")
	elseif wording == "" then
		return false, S("Say what the NPC should have said: /npc better TEXT")
	end
	local outcome, problem = keep(reply, "wording", wording, "demonstration",
		{ reply = reply.id, player = player_name, text = wording })
	if not outcome then
		return false, problem
	elseif outcome == "kept" then
		mod.log("action", ("%s has a better wording for reply %s of %s"):format(player_name, reply.id, reply.npc))
	end
	return true, S("Thank you. @1 should have said: @2", reply.npc, wording)
end

return ratings

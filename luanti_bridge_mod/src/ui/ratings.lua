-- A player's verdict on the last reply, or a better wording for it, comes in; a kept message for the runtime, a
-- thank-you and a word to the admins go out. Players judge only what was said to themselves: the reply's id is never
-- taken from them.

local mod = ...
local S = mod.S

local ratings = {}

local SHOWN_TEXT = 60

local function tell_admins(player_name, reply, words)
	for _, player in ipairs(core.get_connected_players()) do
		local name = player:get_player_name()
		if name ~= player_name and core.check_player_privs(name, "npc_admin") then
			core.chat_send_player(name, S("[Townsfolk] @1 rated @2's reply: @3. “@4”",
				player_name, reply.npc, words, mod.text.clean(reply.text, SHOWN_TEXT)))
		end
	end
end

--- Rate the last reply to that player. `value` is 1 to 5; `scale` is `stars` or `thumb`. With `npc_id`, only when
-- that reply was this NPC's. Returns true or false, and what to tell the player.
function ratings.rate(player_name, value, scale, npc_id)
	local reply = mod.talks.last_reply(player_name)
	if not reply or (npc_id and reply.npc_id ~= npc_id) then
		return false, S("There is no reply to rate yet. Talk with somebody first.")
	end
	if not mod.keeping.keep("rating", { reply = reply.id, player = player_name, value = value, scale = scale }) then
		return false, S("Your rating could not be kept just now. Please try again later.")
	end
	local words = scale == "stars" and S("@1 of 5", value) or (value == 5 and S("good") or S("bad"))
	mod.log("action", ("%s rates reply %s of %s: %d (%s)"):format(player_name, reply.id, reply.npc, value, scale))
	tell_admins(player_name, reply, words)
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
	elseif not mod.keeping.keep("demonstration", { reply = reply.id, player = player_name, text = wording }) then
		return false, S("Your rating could not be kept just now. Please try again later.")
	end
	mod.log("action", ("%s has a better wording for reply %s of %s"):format(player_name, reply.id, reply.npc))
	return true, S("Thank you. @1 should have said: @2", reply.npc, wording)
end

return ratings

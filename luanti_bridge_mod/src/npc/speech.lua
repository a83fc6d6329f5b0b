-- An NPC's words come in, already clean; the chat of those who can hear them and the line over the head go out.

local mod = ...
local bearings, npcs = mod.bearings, mod.npcs

local speech = {}

local OVERHEAD_LEAST, OVERHEAD_PER_CHARACTER = 4, 0.07

--- Send a line to the chat of the players near the NPC, and to `asker` wherever they are.
function speech.near(record, line, asker)
	local body = npcs.body(record.id)
	local pos = body and body.object:get_pos() or record.pos
	for _, player in ipairs(core.get_connected_players()) do
		local name = player:get_player_name()
		if name == asker or bearings.distance(pos, player:get_pos()) <= mod.settings.hearing_distance then
			core.chat_send_player(name, line)
		end
	end
end

local function spoken(record, words)
	return ("<%s> %s"):format(record.name, words)
end

--- Say one line aloud.
function speech.say(record, words, asker)
	speech.near(record, spoken(record, words), asker)
end

--- Say one line to one player only.
function speech.tell(record, words, player_name)
	core.chat_send_player(player_name, spoken(record, words))
end

--- Show words over the head for as long as it takes to read them, or for so many seconds.
function speech.show(record, words, seconds)
	local body = npcs.body(record.id)
	if body then
		body:set_overhead(words, seconds or OVERHEAD_LEAST + OVERHEAD_PER_CHARACTER * #words)
	end
end

--- Take the words over the head away.
function speech.hush(record)
	local body = npcs.body(record.id)
	if body then
		body:set_overhead("", 0)
	end
end

return speech

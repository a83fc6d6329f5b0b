-- Lines from the public chat come in; those meant for an NPC go on to `talks`, within the callback itself. The
-- line is never swallowed and never changed: for everybody else the chat is as it was.

local mod = ...
local address, bearings, npcs, talks, text = mod.address, mod.bearings, mod.npcs, mod.talks, mod.text

local chat = {}


local function on_chat_message(player_name, message)
	local player = core.get_player_by_name(player_name)
	-- Lines from elsewhere (a bridge to another chat, the console) come from nobody who stands anywhere.
	if not player or message:sub(1, 1) == "/" then
		return
	end
	local line = text.line(message, text.MAX_LINE)
	local pos = player:get_pos()
	if line == "" or not bearings.is_position(pos) then
		return
	end
	local meant, how = address.choose(line, { pos = pos, look = player:get_look_dir() }, npcs.loaded(), {
		near = mod.settings.near_distance,
		named = mod.settings.named_distance,
	})
	if meant then
		talks.begin(player_name, meant.record, line, how)
	end
end

--- Call it when all mods are loaded: so we come last, and a line that another mod keeps private never reaches us.
function chat.register()
	local guarded = mod.guard.wrap("chat", on_chat_message)
	core.register_on_chat_message(function(player_name, message)
		guarded(player_name, message)
		return false
	end)
end

return chat

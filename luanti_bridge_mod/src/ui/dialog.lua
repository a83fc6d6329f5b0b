-- The form for talking with one NPC: shown on a right-click, it takes a line or a rating. Every field that comes
-- back is hostile: a form counts only from a player it was shown to, for the NPC it was shown for, and near it.

local mod = ...
local bearings, npcs, talks = mod.bearings, mod.npcs, mod.talks
local S = mod.S

local dialog = {}

local FORM = "townsfolk:talk"
local SHOWN = 4
local LOG_PAUSE = 10
-- Nobody types or presses so fast; what a changed client sends beyond it is dropped unread.
local submits = mod.pace.new(40, 10)

-- By player: { npc_id, note, waiting }.
local shown = {}
local logged_at = {}

-- Forgeries are logged, but nobody can fill the log with them.
local function log_forgery(player_name, what)
	mod.stats.count("forged_forms")
	local now = mod.now()
	if now - (logged_at[player_name] or -LOG_PAUSE) >= LOG_PAUSE then
		logged_at[player_name] = now
		mod.log("warning", ("%s sent %s; it was refused"):format(player_name, what))
	end
end

local function conversation(record, player_name)
	local list = talks.history(record.id, player_name)
	if #list == 0 then
		return ("%s: %s"):format(record.name, mod.cards.line(record.persona, "greeting"))
	end
	local lines = {}
	for index = math.max(1, #list - SHOWN + 1), #list do
		local exchange = list[index]
		lines[#lines + 1] = ("%s: %s"):format(player_name, exchange.line)
		lines[#lines + 1] = ("%s: %s"):format(record.name, exchange.done and exchange.reply or exchange.reply .. " …")
	end
	return table.concat(lines, "\n")
end

local function formspec(record, player_name, note)
	local card = mod.cards.get(record.persona)
	local title = card and card.role ~= "" and S("@1, @2", record.name, card.role) or record.name
	local e = core.formspec_escape
	return table.concat({
		"formspec_version[4]size[11,7.4]",
		"label[0.4,0.6;", e(title), "]",
		"textarea[0.4,1;10.2,3.9;;;", e(conversation(record, player_name)), "]",
		"field[0.4,5.2;8,0.8;line;;]field_close_on_enter[line;false]",
		"button[8.6,5.2;2,0.8;send;", e(S("Say")), "]",
		"label[0.4,6.6;", e(note or S("How was the last reply?")), "]",
		"button[6,6.2;1.4,0.8;good;", e(S("Good")), "]button[7.5,6.2;1.4,0.8;bad;", e(S("Bad")), "]",
		"button_exit[9.1,6.2;1.5,0.8;quit;", e(S("Bye")), "]",
	})
end

local function show(player_name, record, note)
	shown[player_name] = { npc_id = record.id, note = note }
	core.show_formspec(player_name, FORM, formspec(record, player_name, note))
end

--- Show the form of that NPC to a player.
function dialog.open(player_name, record)
	local player, body = core.get_player_by_name(player_name), npcs.body(record.id)
	if player and body then
		body:attend(player_name, 20)
		show(player_name, record)
	end
end

--- A reply to that player has grown: show it, when they wait for it in the form.
function dialog.refresh(player_name, npc_id)
	local form = shown[player_name]
	if not form or form.npc_id ~= npc_id or not form.waiting then
		return
	end
	local record = mod.records.get(npc_id)
	if not record then
		return
	end
	local list = talks.history(npc_id, player_name)
	local is_done = #list == 0 or list[#list].done
	show(player_name, record, form.note)
	-- Shown again only while the reply grows: later a redraw would take away what the player is typing.
	shown[player_name].waiting = not is_done
end

local function say(player_name, record, raw)
	local begun, problem = talks.begin(player_name, record, raw, "form")
	if begun then
		show(player_name, record)
		shown[player_name].waiting = true
	elseif problem == "mute" then
		show(player_name, record, S("You may not speak here (no shout privilege)."))
	elseif problem == "away" then
		show(player_name, record, S("@1 is not here any more.", record.name))
	elseif problem == "fast" then
		show(player_name, record, S("You are too fast. Wait a few seconds."))
	else
		show(player_name, record, S("Type a line first."))
	end
end

local function is_near(player, record)
	local body = npcs.body(record.id)
	return body ~= nil and bearings.distance(player:get_pos(), body.object:get_pos()) <= mod.settings.named_distance
end

-- Returns true when the fields were for us, right or wrong.
local function receive(player, formname, fields)
	if formname ~= FORM then
		return false
	end
	local player_name = player:get_player_name()
	if not submits:take(player_name, mod.now()) then
		mod.stats.count("forms_ignored")
		return true
	end
	local form = shown[player_name]
	if not form then
		log_forgery(player_name, "a talk form that was not shown")
		return true
	end
	local record = mod.records.get(form.npc_id)
	if fields.quit or not record then
		shown[player_name] = nil
		return true
	elseif not is_near(player, record) then
		show(player_name, record, S("@1 is too far away.", record.name))
		return true
	end
	if fields.good or fields.bad then
		local _, message = mod.ratings.rate(player_name, fields.good and 5 or 1, "thumb", record.id)
		show(player_name, record, message)
	elseif fields.send or fields.key_enter_field == "line" then
		say(player_name, record, fields.line)
	end
	return true
end

--- The player left.
function dialog.drop_player(player_name)
	shown[player_name], logged_at[player_name] = nil, nil
	submits:drop(player_name)
end

function dialog.register()
	core.register_on_player_receive_fields(mod.guard.wrap("talk form", receive))
end

return dialog

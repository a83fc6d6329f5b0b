-- What an NPC does without being told, and without the runtime: it looks at who is near, about itself, and
-- now and then has a word to itself. Cheap, and the same whether the link is up or down.

local mod = ...
local bearings = mod.bearings

local fallback = {}

local LOOK_REACH = 6
local HEAR_REACH = 8
local GLANCE_LEAST, GLANCE_MORE = 4, 8
local MUSE_LEAST, MUSE_MORE = 60, 120

local function nearest_player(pos, reach)
	local found, least
	for _, player in ipairs(core.get_connected_players()) do
		local away = bearings.distance(pos, player:get_pos())
		if away <= reach and (not least or away < least) then
			found, least = player, away
		end
	end
	return found
end

local function muse(body, pos, now)
	if not body.muse_at then
		body.muse_at = now + MUSE_LEAST * math.random()
	end
	if now < body.muse_at then
		return
	end
	body.muse_at = now + MUSE_LEAST + MUSE_MORE * math.random()
	local line = mod.settings.idle_lines
		and not body.overhead
		and nearest_player(pos, HEAR_REACH)
		and mod.cards.line(body.record.persona, "idle")
	if line then
		mod.speech.show(body.record, line)
	end
end

--- A standing NPC's next bit of life.
function fallback.idle(body, now)
	local pos = body.object:get_pos()
	local attended = body.attended and now < body.attended_until and core.get_player_by_name(body.attended)
	if attended and bearings.distance(pos, attended:get_pos()) <= mod.settings.named_distance then
		body:face(attended:get_pos())
		return
	end
	body.attended = nil
	muse(body, pos, now)
	if now < (body.glance_at or 0) then
		return
	end
	body.glance_at = now + GLANCE_LEAST + GLANCE_MORE * math.random()
	local player = nearest_player(pos, LOOK_REACH)
	if player and math.random() < 0.6 then
		body:face(player:get_pos())
	else
		body.object:set_yaw(math.random() * 2 * math.pi)
	end
end

return fallback

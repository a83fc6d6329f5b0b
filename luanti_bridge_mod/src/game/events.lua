-- What players do in the world comes in from the engine's callbacks, batches of the wire's `Event` go out.
-- Bounded: when too many wait, the oldest are dropped and counted. It never waits and never blocks an action.

local mod = ...

local events = {}

local MAX_WAITING = 500
local MAX_BATCH = 20
local MAX_AGE = 0.5

-- A ring: `first` is the oldest waiting event, `last` the newest.
local ring, first, last = {}, 1, 0
local dropped = 0
local oldest_at

local function add(kind, player_name, what, pos)
	if not mod.text.is_player_name(player_name) then
		return
	end
	local now = mod.now()
	if last - first + 1 >= MAX_WAITING then
		ring[first] = nil
		first = first + 1
		dropped = dropped + 1
		mod.stats.count("events_dropped")
	end
	last = last + 1
	ring[last] = {
		kind = kind,
		player = player_name,
		at = now,
		what = not what and "" or #what <= 100 and what or mod.text.line(what, 100),
		pos = pos and mod.bearings.is_position(pos) and { x = pos.x, y = pos.y, z = pos.z } or nil,
	}
	oldest_at = oldest_at or now
end

--- Record something from another part of the mod, such as a punch that an NPC felt.
events.add = add

--- Forget what a player did and nobody was told of yet.
function events.drop_player(player_name)
	local kept = {}
	for index = first, last do
		if ring[index].player ~= player_name then
			kept[#kept + 1] = ring[index]
		end
	end
	ring, first, last = kept, 1, #kept
	oldest_at = ring[1] and ring[1].at
end

--- Send what waits, when there is enough of it or it waited long enough. Small batches keep each step short.
function events.step(now)
	if first > last or not mod.link:is_up() then
		return
	end
	if last - first + 1 < MAX_BATCH and now - oldest_at < MAX_AGE then
		return
	end
	local batch = {}
	for index = first, math.min(last, first + MAX_BATCH - 1) do
		batch[#batch + 1] = ring[index]
	end
	local sent, problem = mod.link:send({ type = "event", events = batch, dropped = dropped })
	if not sent and problem == "full" then
		return
	elseif not sent then
		-- It never can be; the events behind it shall not wait for it.
		mod.log("error", "events of the world cannot be sent: " .. tostring(problem))
		dropped = dropped + #batch
	end
	for index = first, first + #batch - 1 do
		ring[index] = nil
	end
	first = first + #batch
	dropped = sent and 0 or dropped
	oldest_at = first <= last and ring[first].at or nil
end

local function name_of(object)
	return object and object.is_player and object:is_player() and object:get_player_name() or nil
end

-- Somebody joined or left: told at once, beside the event.
local function tell(kind, message_type, player)
	local name = player:get_player_name()
	if mod.text.is_player_name(name) then
		mod.link:send({ type = message_type, player = name })
		add(kind, name, "", player:get_pos())
	end
end

function events.register()
	local wrap = mod.guard.wrap
	core.register_on_joinplayer(wrap("events: join", function(player)
		tell("join", "player_joined", player)
	end))
	core.register_on_leaveplayer(wrap("events: leave", function(player)
		tell("leave", "player_left", player)
	end))
	core.register_on_dignode(wrap("events: dig", function(pos, oldnode, digger)
		add("dig", name_of(digger), oldnode.name, pos)
	end))
	core.register_on_placenode(wrap("events: place", function(pos, newnode, placer)
		-- Returns nothing: a truthy result would stop the engine from taking the item.
		add("place", name_of(placer), newnode.name, pos)
	end))
	core.register_on_craft(wrap("events: craft", function(itemstack, player)
		add("craft", name_of(player), itemstack:get_name(), player:get_pos())
	end))
	core.register_on_punchplayer(wrap("events: punch", function(player, hitter)
		add("punch", name_of(hitter), player:get_player_name(), player:get_pos())
	end))
	core.register_on_dieplayer(wrap("events: death", function(player, reason)
		add("death", player:get_player_name(), reason and reason.type or "", player:get_pos())
	end))
end

return events

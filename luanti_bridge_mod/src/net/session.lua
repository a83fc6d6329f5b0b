-- One connection's talk with the runtime: the wire's `Hello` goes out, the `Welcome` that answers it comes in, and
-- what the runtime sends later is handed to the part that it is for. It decides nothing itself.

local mod = ...
local link, text = mod.link, mod.text

local MAX_NPCS, MAX_PLAYERS = 1000, 1000

-- The same for this world as long as it exists.
local function server_id()
	local id = mod.storage:get_string("server")
	if id == "" then
		id = mod.new_id()
		mod.storage:set_string("server", id)
	end
	return id
end

-- What the runtime knows of us from the hello: who comes or goes until the welcome is told after it.
local told_npcs, told_players = {}, {}

local function hello()
	local npcs, players = {}, {}
	told_npcs, told_players = {}, {}
	for index, record in ipairs(mod.records.list()) do
		if index <= MAX_NPCS then
			npcs[index] = mod.records.wire(record)
			told_npcs[record.id] = npcs[index]
		end
	end
	for _, player in ipairs(core.get_connected_players()) do
		local name = player:get_player_name()
		if #players < MAX_PLAYERS and text.is_player_name(name) then
			players[#players + 1] = name
			told_players[name] = true
		end
	end
	return {
		type = "hello",
		protocol = 1,
		server = server_id(),
		server_name = text.line(core.settings:get("server_name") or "", 100),
		engine = text.line(mod.engine.name(), 100),
		game = text.line(mod.engine.game(), 100),
		mod = mod.VERSION,
		catalogue = mod.knowledge.hash,
		npcs = npcs,
		players = players,
	}
end

local function catch_up()
	for _, record in ipairs(mod.records.list()) do
		if not told_npcs[record.id] then
			link:send({ type = "npc_state", npc = mod.records.wire(record), state = "spawned" })
		end
		told_npcs[record.id] = nil
	end
	for _, gone in pairs(told_npcs) do
		link:send({ type = "npc_state", npc = gone, state = "removed" })
	end
	for _, player in ipairs(core.get_connected_players()) do
		local name = player:get_player_name()
		if not told_players[name] and text.is_player_name(name) then
			link:send({ type = "player_joined", player = name })
		end
		told_players[name] = nil
	end
	for name in pairs(told_players) do
		link:send({ type = "player_left", player = name })
	end
	told_npcs, told_players = {}, {}
end

local function welcome(message)
	catch_up()
	mod.cards.keep(message.personas)
	mod.privacy.on_welcome(message)
	mod.npcs.stock()
	if message.send_catalogue == true then
		mod.knowledge.send()
	end
end

local function freeze(message)
	local record = type(message.npc) == "string" and mod.records.get(message.npc)
	if record and type(message.seconds) == "number" then
		mod.npcs.freeze(record.id, math.min(math.max(message.seconds, 0), 3600))
		mod.log("action", ("%s is frozen for %g s: %s"):format(record.name, message.seconds, text.line(message.reason, 200)))
	end
end

local function notice(message)
	mod.log(message.level == "warning" and "warning" or "action", "runtime: " .. text.line(message.text, 500))
end

link.hello = hello

for kind, handler in pairs({
	welcome = welcome,
	reply_delta = mod.talks.on_delta,
	reply_done = mod.talks.on_done,
	error = mod.talks.on_error,
	action = mod.actions.handle,
	freeze = freeze,
	notice = notice,
}) do
	link:on(kind, mod.guard.wrap("message " .. kind, handler))
end

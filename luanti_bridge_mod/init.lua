-- Townsfolk's mod: NPCs that talk through a runtime on the same machine, and go on by themselves without it.
-- This file wires the parts together; what they do stands at the head of each.

local modpath = core.get_modpath(core.get_current_modname())

-- Everything the parts share. Only `townsfolk` at the end is public.
local mod = { VERSION = "0.1.0", storage = core.get_mod_storage(), S = core.get_translator("townsfolk") }

local loaded = {}
local function load(name)
	if not loaded[name] then
		loaded[name] = assert(loadfile(modpath .. "/src/" .. name .. ".lua"))(mod)
	end
	return loaded[name]
end

function mod.log(level, line)
	core.log(level, "[townsfolk] " .. line)
end

-- Seconds of a clock that never goes back.
function mod.now()
	return core.get_us_time() / 1e6
end

-- What mod storage holds under `key` as JSON; nil when there is nothing.
function mod.read_json(key)
	local value = mod.storage:get_string(key)
	return value ~= "" and core.parse_json(value) or nil
end

local secure_random = SecureRandom()
local function random_bytes(count)
	return secure_random:next_bytes(count)
end

function mod.tell(player_name, line)
	core.chat_send_player(player_name, line)
end

function mod.new_id()
	return load("net/ulid").new(os.time() * 1000, random_bytes)
end

-- The insecure environment and the libraries out of it never leave this chunk.
local luasocket, messagepack = dofile(modpath .. "/src/net/trusted.lua")(core.request_insecure_environment())
if not luasocket then
	mod.setup_problem, messagepack = messagepack, nil
	mod.log("warning", "NPCs speak stock lines only: " .. mod.setup_problem)
end
mod.engine = load("game/engine")
if luasocket and mod.engine.leaks_trust() then
	mod.log("warning", ("%s: before 5.15.2 any other mod of this server can get at what this mod is trusted with "
		.. "(CVE-2026-40960). Update the server, or run only mods that you would trust yourself.")
		:format(mod.engine.name()))
end

mod.settings = load("settings")
mod.text = load("game/text")
mod.bearings = load("game/bearings")
mod.stats = load("stats")
mod.guard = load("guard")
mod.address = load("game/address")
mod.places = load("game/places")
mod.snapshot = load("game/snapshot")
mod.knowledge = load("game/knowledge")
mod.events = load("game/events")

mod.cards = load("npc/cards")
mod.records = load("npc/records")
mod.walk = load("npc/walk")
mod.npcs = load("npc/npcs")
mod.newcomers = load("npc/newcomers")
mod.targets = load("npc/targets")
mod.tasks = load("npc/tasks")
mod.fallback = load("npc/fallback")
mod.speech = load("npc/speech")
mod.pace = load("npc/pace")
mod.replies = load("npc/replies")
mod.talks = load("npc/talks")
mod.action_table = load("npc/action_table")
mod.arguments = load("npc/arguments")
mod.actions = load("npc/actions")

mod.keeping = load("ui/keeping")
mod.ratings = load("ui/ratings")
mod.privacy = load("ui/privacy")
mod.dialog = load("ui/dialog")
mod.subcommands = load("ui/subcommands")
mod.commands = load("ui/commands")
mod.status = load("ui/status")

mod.link = load("net/link").new({
	load = load,
	socket = luasocket and load("net/socket").new(luasocket) or load("net/socket").unavailable(mod.setup_problem),
	codec = load("net/codec").new({
		messagepack = messagepack,
		parse_json = core.parse_json,
		valid_utf8 = load("net/utf8").valid,
	}),
	host = mod.settings.host,
	port = mod.settings.port,
	token = mod.settings.token,
	sha1 = function(data)
		return core.sha1(data, true)
	end,
	base64 = function(data)
		-- Engines before 5.10 leave the padding out.
		local encoded = core.encode_base64(data)
		return encoded .. ("="):rep(-#encoded % 4)
	end,
	now = mod.now,
	random = random_bytes,
	log = mod.log,
	storage = {
		get = function(key)
			return mod.storage:get_string(key)
		end,
		set = function(key, value)
			mod.storage:set_string(key, value)
		end,
	},
	budget = { bytes = 65536, seconds = 0.001 },
})

load("net/session")
load("npc/entity")
mod.chat = load("game/chat")
mod.events.register()
mod.dialog.register()
mod.commands.register()

core.register_on_mods_loaded(mod.guard.wrap("chat", mod.chat.register))
core.register_on_mods_loaded(mod.guard.wrap("catalogue", mod.knowledge.begin))

core.register_on_leaveplayer(mod.guard.wrap("leave", function(player)
	local name = player:get_player_name()
	mod.talks.drop_player(name)
	mod.dialog.drop_player(name)
end))

local function step()
	local now = mod.now()
	mod.knowledge.step()
	-- The hello names the catalogue, so there is no use in connecting before it is read.
	if mod.knowledge.hash then
		mod.link:step()
	end
	mod.talks.step(now)
	mod.npcs.step(now)
	mod.events.step(now)
end

local guarded_step = mod.guard.wrap("server step", step)
core.register_globalstep(function()
	guarded_step()
	mod.stats.close_step()
	mod.status.step(mod.now())
end)

core.register_on_shutdown(mod.guard.wrap("shutdown", function()
	mod.npcs.save_all()
	mod.link:stop()
end))

load("api")

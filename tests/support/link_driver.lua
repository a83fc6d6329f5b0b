-- Runs the mod's link outside the engine, with the real LuaSocket, as the globalstep would: one step every 20 ms.
-- Arguments: the port of a control connection, and the settings as JSON. Over the control connection come commands,
-- one JSON list a line, and go events. Working directory: the mod's folder.

local json = require("dkjson")
local luasocket = require("socket")
local net = dofile("spec/support/net.lua")
local settings = json.decode(arg[2])

local control = assert(luasocket.connect("127.0.0.1", tonumber(arg[1])))
control:setoption("tcp-nodelay", true)

local function tell(event)
	assert(control:send(json.encode(event) .. "\n"))
end

-- Mod storage as a folder's worth of strings in one file, so that it survives this process.
local stored = {}
do
	local file = io.open(settings.storage)
	if file then
		stored = json.decode(file:read("*a")) or {}
		file:close()
	end
end

local storage = {
	get = function(key)
		return stored[key]
	end,
	set = function(key, text)
		stored[key] = text ~= "" and text or nil
		local file = assert(io.open(settings.storage, "w"))
		file:write(json.encode(stored))
		file:close()
	end,
}

local random_file = assert(io.open("/dev/urandom", "rb"))
local library = luasocket
if settings.send_buffer then
	-- A small send buffer, to meet partial sends early.
	library = setmetatable({
		tcp4 = function()
			local tcp = assert(luasocket.tcp4())
			tcp:setoption("send-buffer-size", settings.send_buffer)
			return tcp
		end,
	}, { __index = luasocket })
end

local link = net.load("net/link").new({
	load = net.load,
	socket = net.load("net/socket").new(library),
	codec = net.codec(settings.codec == "msgpack" and net.messagepack() or nil),
	host = "127.0.0.1", port = settings.port, token = settings.token,
	sha1 = net.sha1, base64 = net.base64,
	now = luasocket.gettime,
	random = function(n)
		return random_file:read(n)
	end,
	log = function(level, text)
		tell({ event = "log", level = level, text = text })
	end,
	storage = storage,
	budget = { bytes = 65536, seconds = 0.001 },
})
link.hello = function()
	return {
		type = "hello", protocol = 1, server = ("0"):rep(26), server_name = "driver", engine = "none", game = "none",
		mod = "test", catalogue = ("0"):rep(40), npcs = {}, players = {},
	}
end
for _, kind in ipairs({ "welcome", "reply_delta", "notice", "ack" }) do
	link:on(kind, function(message)
		tell({ event = "message", message = message })
	end)
end

local worst_step = 0

local commands = {}

function commands.send(message)
	local from = luasocket.gettime()
	local sent, reason = link:send(message)
	tell({ event = "answer", sent = sent or false, reason = reason, seconds = luasocket.gettime() - from })
end

-- Sends and dies before any further step.
function commands.last_words(message)
	tell({ event = "answer", sent = link:send(message) })
	os.exit(0)
end

function commands.flood(count)
	local taken = 0
	for i = 1, count do
		local payload = { type = "event", events = {}, dropped = i, padding = ("x"):rep(2000) }
		taken = taken + (link:send(payload) and 1 or 0)
		link:step()
	end
	tell({ event = "answer", taken = taken })
end

function commands.keep(message)
	local kept, reason = link:keep(message)
	tell({ event = "answer", kept = kept or false, reason = reason })
end

function commands.status()
	local status = link:status()
	status.event, status.worst_step = "answer", worst_step
	tell(status)
end

control:settimeout(0)
local half_line = ""
while true do
	local from = luasocket.gettime()
	link:step()
	worst_step = math.max(worst_step, luasocket.gettime() - from)
	local line, reason, partial = control:receive("*l")
	if line then
		local command = json.decode(half_line .. line)
		half_line = ""
		commands[command[1]](command[2])
	elseif reason == "closed" then
		os.exit(0)
	else
		half_line = half_line .. partial
		luasocket.sleep(0.02)
	end
end

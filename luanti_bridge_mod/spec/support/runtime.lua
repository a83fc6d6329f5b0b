-- A network and a runtime in memory, for specs: it stands in for `src/net/socket.lua` and speaks real WebSocket to
-- the link through it. Whether it listens, how much it takes and how finely it slices is set by fields.

local net = dofile("spec/support/net.lua")
local frames = net.load("net/frames")
local handshake = net.load("net/handshake")

local runtime = {}

local Peer = {}
Peer.__index = Peer

function Peer:poll()
	if self.world.mode == "blackhole" then
		return false
	elseif self.world.mode == "refuse" then
		return nil, "connection refused"
	end
	return true
end

-- One way of a slow network: bytes arrive after their delay, in order.
local function post(line, world, bytes)
	local due = world.now() + world.delay()
	line.last = math.max(line.last or 0, due)
	line[#line + 1] = { due = line.last, bytes = bytes }
end

local function arrived(line, world)
	local bytes = ""
	while line[1] and line[1].due <= world.now() do
		bytes = bytes .. table.remove(line, 1).bytes
	end
	return bytes
end

function Peer:send(bytes, offset)
	if self.closed or self.broken then
		return nil, self.broken or "closed"
	end
	local last = math.min(#bytes, offset + self.world.takes - 1)
	if self.world.delay then
		post(self.there, self.world, bytes:sub(offset, last))
	else
		self.received = self.received .. bytes:sub(offset, last)
		self.world:serve(self)
	end
	return last
end

function Peer:receive(max)
	if self.world.delay then
		self.received = self.received .. arrived(self.there, self.world)
		self.world:serve(self)
		self.to_client = self.to_client .. arrived(self.back, self.world)
	end
	if self.to_client == "" then
		local reason = self.broken or (self.finished and "closed")
		if reason then
			return nil, reason
		end
		return ""
	end
	local slice = self.to_client:sub(1, math.min(max, self.world.slice))
	self.to_client = self.to_client:sub(#slice + 1)
	return slice
end

function Peer:close()
	self.closed = true
end

local World = {}
World.__index = World

-- `codec`: of the messages on the wire.
function runtime.new(codec)
	return setmetatable({
		codec = codec,
		mode = "listen",        -- or "refuse", "blackhole"
		slice = 1e9,            -- bytes that one receive yields at most
		takes = 1e9,            -- bytes that one send takes at most
		status = nil,           -- an HTTP status line instead of 101
		silent = false,         -- takes bytes and answers nothing
		welcome = { type = "welcome", protocol = 1, heartbeat = 2, personas = {} },
		connects = 0,
		hosts = {},
		messages = {},          -- what the mod sent, decoded, over all connections
		closes = {},            -- close frames of the mod: {code, reason}
		acks = true,            -- answers ratings with an ack
		delay = nil,            -- function() → seconds that bytes are under way; needs `now`, a clock
	}, World)
end

function World:resolve(host) -- luacheck: no self
	if host == "nowhere" then
		return nil, "cannot resolve nowhere"
	end
	return host
end

function World:connect()
	self.connects = self.connects + 1
	self.peer = setmetatable({ world = self, received = "", to_client = "", there = {}, back = {} }, Peer)
	return self.peer
end

function World:answer_handshake(peer)
	local head, rest = peer.received:match("^(.-\r\n\r\n)(.*)$")
	if not head then
		return
	end
	peer.received, self.request = rest, head
	local key = head:match("Sec%-WebSocket%-Key: (%S+)")
	if self.status then
		self:raw("HTTP/1.1 " .. self.status .. "\r\n\r\n")
		peer.finished = true
		return
	end
	peer.open = true
	self:raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		.. "Sec-WebSocket-Accept: " .. handshake.accept(key, net.sha1, net.base64) .. "\r\n"
		.. "Sec-WebSocket-Protocol: " .. self.codec.subprotocol .. "\r\n\r\n")
end

-- The mod's frames are whole and masked, else the spec fails here.
local function next_frame(peer)
	local bytes = peer.received
	if #bytes < 2 then
		return nil
	end
	local first, second = bytes:byte(1, 2)
	assert(second >= 128, "unmasked frame from the mod")
	local length, at = second - 128, 3
	if length == 126 then
		length, at = (bytes:byte(3) or 0) * 256 + (bytes:byte(4) or 0), 5
	elseif length == 127 then
		length, at = 0, 11
		for i = 3, 10 do
			length = length * 256 + (bytes:byte(i) or 0)
		end
	end
	if #bytes < at + 3 + length then
		return nil
	end
	peer.received = bytes:sub(at + 4 + length)
	return first % 16, frames.mask(bytes:sub(at + 4, at + 3 + length), bytes:sub(at, at + 3))
end

function World:serve(peer)
	if self.silent then
		return
	end
	if not peer.open then
		self:answer_handshake(peer)
	end
	if not peer.open then
		return
	end
	for opcode, payload in next_frame, peer do
		if opcode == frames.CLOSE then
			self.closes[#self.closes + 1] = { payload:byte(1) * 256 + payload:byte(2), payload:sub(3) }
			peer.finished = true
		elseif opcode == frames.PONG then
			self.ponged = payload
		else
			self:take(assert(self.codec:decode(payload)))
		end
	end
end

function World:take(message)
	self.messages[#self.messages + 1] = message
	if message.type == "hello" and self.welcome then
		self:say(self.welcome)
	elseif message.type == "ping" then
		self:say({ type = "pong", n = message.n })
	elseif message.type == "rating" and self.acks then
		self:say({ type = "ack", ids = { message.id } })
	end
end

-- A frame of the runtime: not masked.
function World:frame(opcode, payload)
	local head = string.char(128 + opcode)
	if #payload < 126 then
		head = head .. string.char(#payload)
	elseif #payload < 65536 then
		head = head .. string.char(126, math.floor(#payload / 256), #payload % 256)
	else
		head = head .. string.char(127, 0, 0, 0, 0, 0, math.floor(#payload / 65536) % 256,
			math.floor(#payload / 256) % 256, #payload % 256)
	end
	self:raw(head .. payload)
end

function World:raw(bytes)
	if self.delay then
		post(self.peer.back, self, bytes)
	else
		self.peer.to_client = self.peer.to_client .. bytes
	end
end

function World:say(message)
	self:frame(self.codec.binary and frames.BINARY or frames.TEXT, assert(self.codec:encode(message)))
end

-- The connection breaks: what was under way is lost.
function World:reset()
	self.peer.to_client, self.peer.broken = "", "connection reset by peer"
end

function World:of_type(message_type)
	local found = {}
	for _, message in ipairs(self.messages) do
		if message.type == message_type then
			found[#found + 1] = message
		end
	end
	return found
end

return runtime

-- One connection to the runtime as a state machine: down → connecting → handshaking → open → closing → down.
-- Time and bytes in (through the given socket), events out; it reconnects by itself, later and later. Pure:
-- returns its module table, never touches `core`, never waits.
--
-- Events, in order, by `pop()`: {kind = "open"}, {kind = "message", payload}, {kind = "down", why, text}, where
-- `why` is "refused", "timeout", "silent", "lost", "closed", "protocol", "unavailable" or a refusal of
-- `handshake.lua`. After "down" no new connection begins until all events are taken.

local connection = {}

local CONNECT_WITHIN = 2
-- A link with a latency of 3 s each way is slow, not dead.
local HANDSHAKE_WITHIN = 7
local WELCOME_WITHIN = 7
local CLOSE_WITHIN = 1
local STABLE_AFTER = 5
local MAX_MESSAGE = 1048576

local COMES_BACK = { [1000] = true, [1001] = true, [1005] = true, [1012] = true, [1013] = true }

local Connection = {}
Connection.__index = Connection

-- `options`: frames, handshake, heartbeat, backoff (the modules), socket, outbox, address, port, host (for the Host
-- header), path, token, subprotocol, binary (kind of the frames), sha1(data) → raw, base64(data), random(n) → bytes,
-- valid_utf8(text), ping(n) → payload of a heartbeat; `now`: seconds of a clock that never goes back.
function connection.new(options, now)
	local self = setmetatable({
		o = options,
		state = "down",
		since = now,
		retry_at = now,
		failures = 0,      -- in a row, without a stable connection between
		events = {}, first = 1, last = 0,
		stopped = false,
	}, Connection)
	local frames = options.frames
	self.opcode = options.binary and frames.BINARY or frames.TEXT
	self.frame = function(payload)
		return frames.encode(self.opcode, payload, options.random(4))
	end
	self.write = function(bytes, offset)
		return self.peer:send(bytes, offset)
	end
	return self
end

function Connection:emit(event)
	self.last = self.last + 1
	self.events[self.last] = event
end

function Connection:pop()
	local event = self.events[self.first]
	if event then
		self.events[self.first] = nil
		self.first = self.first + 1
	end
	return event
end

function Connection:enter(state, now)
	self.state, self.since = state, now
end

function Connection:go_down(why, text, now)
	if self.peer then
		self.peer:close()
		self.peer = nil
	end
	self.parser, self.response = nil, nil
	self.failures = self.failures + 1
	self.retry_at = now + self.o.backoff.seconds(why, self.failures, self.o.random)
	self.o.outbox:reset()
	self:enter("down", now)
	self:emit({ kind = "down", why = why, text = text })
end

function Connection:connect(now)
	local peer, reason = self.o.socket:connect(self.o.address, self.o.port)
	self:enter("connecting", now)
	if not peer then
		return self:go_down("unavailable", reason, now)
	end
	self.peer = peer
	return self:await_connect(now)
end

function Connection:await_connect(now)
	local connected, reason = self.peer:poll()
	if connected then
		self:begin_handshake(now)
	elseif reason then
		self:go_down("refused", "cannot connect: " .. reason, now)
	elseif now - self.since >= CONNECT_WITHIN then
		self:go_down("timeout", "cannot connect: no answer within " .. CONNECT_WITHIN .. " s", now)
	end
end

function Connection:begin_handshake(now)
	local o = self.o
	local key = o.base64(o.random(16))
	local request, problem = o.handshake.request({
		host = o.host, port = o.port, path = o.path, key = key, token = o.token, subprotocol = o.subprotocol,
	})
	if not request then
		return self:go_down("token", problem, now)
	end
	self.response = o.handshake.response(o.handshake.accept(key, o.sha1, o.base64), o.subprotocol)
	self.request, self.request_at = request, 1
	self:enter("handshaking", now)
	self:send_request(now)
end

function Connection:send_request(now)
	if self.request_at > #self.request then
		return
	end
	local last, reason = self.peer:send(self.request, self.request_at)
	if not last then
		return self:lose(reason, now)
	end
	self.request_at = last + 1
end

function Connection:begin_open(now)
	self.response = nil
	self.parser = self.o.frames.parser({ max_message = MAX_MESSAGE, valid_utf8 = self.o.valid_utf8 })
	self.confirmed = false
	self.heartbeat = self.o.heartbeat.new(now)
	self:enter("open", now)
	self:emit({ kind = "open" })
end

-- The hello is on its way.
function Connection:greeted(now)
	self.heartbeat:begin(now)
end

-- The runtime has said welcome, and how many seconds there should be between heartbeats.
function Connection:confirm(interval, now)
	self.confirmed = true
	self.heartbeat:set_interval(interval, now)
end

-- Does what the time asks for.
function Connection:tick(now)
	if self.state == "down" then
		if not self.stopped and now >= self.retry_at and self.first > self.last then
			self:connect(now)
		end
	elseif self.state == "connecting" then
		self:await_connect(now)
	elseif self.state == "handshaking" then
		self:send_request(now)
	elseif self.state == "open" then
		local n = self.heartbeat:next(now)
		if n then
			self.o.outbox:urgent(self.frame(self.o.ping(n)))
		end
		if self.failures > 0 and self.confirmed and now - self.since >= STABLE_AFTER then
			self.failures = 0
		end
	elseif now - self.since >= CLOSE_WITHIN then
		self:go_down(self.why, self.text, now)
	end
end

-- The stream has ended, as was to be expected or not.
function Connection:lose(reason, now)
	if self.state == "closing" then
		self:go_down(self.why, self.text, now)
	else
		self:go_down("lost", "connection lost: " .. reason, now)
	end
end

-- Begins to close; `why` and `text` go into the event that follows.
function Connection:close(code, why, text, now)
	local frames = self.o.frames
	self.o.outbox:finish(frames.encode(frames.CLOSE, frames.close_payload(code, text), self.o.random(4)))
	self.why, self.text = why, text
	self:enter("closing", now)
	self:flush(MAX_MESSAGE, now)
end

-- Says goodbye as far as the socket takes it at once, and never connects again.
function Connection:stop(now)
	self.stopped = true
	if self.state == "open" then
		self:close(1001, "closed", "the game server stops", now)
	end
	if self.state ~= "down" then
		self:go_down("closed", "the game server stops", now)
	end
end

-- Sends what waits, about `max_bytes` of it. Returns the number of bytes.
function Connection:flush(max_bytes, now)
	if self.state ~= "open" and self.state ~= "closing" then
		return 0
	end
	local sent, reason = self.o.outbox:flush(self.frame, self.write, max_bytes)
	if not sent then
		self:lose(reason, now)
		return 0
	end
	return sent
end

function Connection:take_frame(event, now)
	local frames = self.o.frames
	if event.opcode == self.opcode then
		self:emit({ kind = "message", payload = event.payload })
	elseif event.opcode == frames.PING then
		self.o.outbox:urgent(frames.encode(frames.PONG, event.payload, self.o.random(4)))
	elseif event.opcode == frames.CLOSE then
		local why = COMES_BACK[event.code] and "closed" or "protocol"
		local text = "the runtime closed the connection (" .. event.code
			.. (event.reason ~= "" and ": " .. event.reason or "") .. ")"
		self:close(event.code == 1005 and 1000 or event.code, why, text, now)
		if self.state == "closing" then
			self:go_down(why, text, now)
		end
	elseif event.opcode ~= frames.PONG then
		self:close(1003, "protocol", "the runtime sent a frame of the wrong kind", now)
	end
end

function Connection:take_bytes(data, now)
	local events, code, reason = self.parser:feed(data)
	for _, event in ipairs(events) do
		self:take_frame(event, now)
		if self.state ~= "open" then
			return
		end
	end
	if code then
		self:close(code, "protocol", "the runtime broke the protocol: " .. reason, now)
	end
end

function Connection:take_response(data, now)
	local done, kind_or_rest, text = self.response:feed(data)
	if done then
		self:begin_open(now)
		self:take_bytes(kind_or_rest, now)
	elseif done == nil then
		self:go_down(kind_or_rest, text, now)
	end
end

-- Nothing came: is it time to give up?
function Connection:idle(now)
	if self.state == "handshaking" and now - self.since >= HANDSHAKE_WITHIN then
		self:go_down("timeout", "no answer to the handshake within " .. HANDSHAKE_WITHIN .. " s", now)
	elseif self.state == "open" and not self.confirmed and now - self.since >= WELCOME_WITHIN then
		self:close(1002, "timeout", "no welcome within " .. WELCOME_WITHIN .. " s", now)
	elseif self.state == "open" and self.confirmed and self.heartbeat:peer_is_dead() then
		self:go_down("silent", "the runtime is silent since " .. self.o.heartbeat.SILENCE_MAX .. " s", now)
	end
end

-- Reads up to `max` bytes and acts on them. Returns how many came.
function Connection:receive(max, now)
	if not self.peer or self.state == "connecting" then
		return 0
	end
	local data, reason = self.peer:receive(max)
	if not data then
		self:lose(reason, now)
		return 0
	end
	if self.state == "open" then
		self.heartbeat:listened(data ~= "", now)
	end
	if data == "" then
		self:idle(now)
	elseif self.state == "handshaking" then
		self:take_response(data, now)
	elseif self.state == "open" then
		self:take_bytes(data, now)
	end
	return #data
end

return connection

-- What the rest of the mod uses of the network: messages (Lua tables) out and in. Never blocks, never throws, and
-- does a bounded piece of work per server step. Pure: returns its module table, never touches `core`.

local link = {}

local PROTOCOL = 1
local CHUNK = 8192
local MAX_MESSAGE = 262144
local MAX_QUEUED_MESSAGES, MAX_QUEUED_BYTES = 1000, 524288
-- The runtime takes fifty refused messages in ten seconds for a flood.
local MAX_KEPT, KEPT_WINDOW = 10000, 32
local KEPT_AGAIN = 30

-- These wait for the next connection, the oldest giving way; all others are refused while the link is down,
-- because they would be stale when it is up again.
local TELEMETRY = { event = true, action_result = true }

-- Answers to a kept message that will never be another: sending it again would be for nothing.
local FINAL_REFUSALS = { malformed = true, too_large = true, invalid_field = true, unknown_reply = true }

local Link = {}
Link.__index = Link

local function make_connection(o, outbox, now)
	local load = o.load
	local socket = o.socket
	local address, problem = socket:resolve(o.host)
	if not address then
		socket = load("net/socket").unavailable(problem)
	end
	return load("net/connection").new({
		frames = load("net/frames"), handshake = load("net/handshake"), heartbeat = load("net/heartbeat"),
		backoff = load("net/backoff"),
		valid_utf8 = load("net/utf8").valid,
		socket = socket, outbox = outbox,
		address = address, host = o.host, port = o.port, path = o.path or "/", token = o.token,
		subprotocol = o.codec.subprotocol, binary = o.codec.binary,
		sha1 = o.sha1, base64 = o.base64, random = o.random,
		ping = function(n)
			return (o.codec:encode({ type = "ping", n = n }))
		end,
	}, now)
end

-- `options`: load(part) → module, socket, codec, host, port, path, token, sha1(data) → raw, base64(data),
-- now() → seconds, random(n) → bytes, log(level, text), storage (get(key), set(key, text)) and budget (bytes and
-- seconds of work per step). Set `hello`, give handlers to `on`, and call `step` in each server step.
function link.new(options)
	local now = options.now()
	local kept = options.load("net/kept").new({
		storage = options.storage, codec = options.codec, log = options.log, max = MAX_KEPT, window = KEPT_WINDOW,
	})
	local outbox = options.load("net/outbox").new({
		max_messages = MAX_QUEUED_MESSAGES, max_bytes = MAX_QUEUED_BYTES, kept = kept,
	})
	return setmetatable({
		now = options.now, log = options.log, codec = options.codec, budget = options.budget,
		place = options.host .. ":" .. options.port,
		kept = kept, outbox = outbox,
		connection = make_connection(options, outbox, now),
		handlers = {},
		welcomed = false,
		down_since = now,
		rtt = nil,           -- seconds, of the latest heartbeat
		last_error = nil,
		again_at = nil,      -- when to send refused kept messages once more
		logged = nil,        -- the reason already in the log
		handler_errors = 0,
		ignored = 0,         -- messages from the runtime that could not be used
		hello = nil,         -- set by the owner: function() → message
	}, Link)
end

-- Calls `handler(message)` for each message of that type, after the handlers that are already there.
function Link:on(message_type, handler)
	local list = self.handlers[message_type] or {}
	self.handlers[message_type] = list
	list[#list + 1] = handler
end

function Link:is_up()
	return self.welcomed and self.connection.state == "open"
end

-- Seconds since the runtime could last be talked to; 0 while it can.
function Link:down_for()
	if self:is_up() then
		return 0
	end
	return self.now() - self.down_since
end

function Link:push(message, class)
	local payload, problem = self.codec:encode(message)
	if not payload then
		return nil, problem
	elseif #payload > MAX_MESSAGE then
		return nil, "message longer than " .. MAX_MESSAGE .. " bytes"
	end
	local taken, reason = self.outbox:push(payload, class)
	if taken then
		self.connection:flush(self.budget.bytes, self.now())
	end
	return taken, reason
end

-- Sends a message now, as far as the socket takes it, and the rest in the next steps. True, or nil and "down",
-- "full" or what is wrong with the message.
function Link:send(message)
	local class = TELEMETRY[message.type] and "telemetry" or "live"
	if class == "live" and not self:is_up() then
		return nil, "down"
	end
	return self:push(message, class)
end

-- Sends a message with an `id` until the runtime acks it, over restarts. True, or nil and the reason ("full").
function Link:keep(message)
	local taken, reason = self.kept:add(message)
	if taken then
		self.connection:flush(self.budget.bytes, self.now())
	end
	return taken, reason
end

function Link:run(handler, message)
	local function explain(problem)
		return debug.traceback(tostring(problem), 2)
	end
	local done, result = xpcall(function() return handler(message) end, explain)
	if not done then
		self.handler_errors = self.handler_errors + 1
		self.log("error", "handler of `" .. tostring(message and message.type or "hello") .. "` failed: " .. result)
	end
	return done and result or nil
end

function Link:greet()
	local message = self.hello and self:run(self.hello)
	local sent, problem = nil, "there is no hello to send"
	if message then
		sent, problem = self:push(message, "live")
	end
	if sent then
		self.connection:greeted(self.now())
	elseif self.connection.state == "open" then
		self.log("error", "no hello for the runtime: " .. problem)
		self.connection:close(1000, "protocol", problem, self.now())
	end
end

function Link:welcome(message)
	if self.connection.state ~= "open" then
		return
	elseif message.protocol ~= PROTOCOL then
		local text = "the runtime speaks protocol " .. tostring(message.protocol) .. ", this mod " .. PROTOCOL
			.. ": mod and runtime must be of the same release"
		self.connection:close(1002, "version", text, self.now())
		return
	end
	self.welcomed, self.logged, self.last_error = true, nil, nil
	self.log("action", "connected to the runtime at " .. self.place)
	self.connection:confirm(message.heartbeat, self.now())
	self.outbox:start()
	self.again_at = nil
end

function Link:went_down(event)
	if self.welcomed then
		self.down_since = self.now()
	end
	self.welcomed = false
	self.last_error = event.text
	if self.logged ~= event.text then
		self.logged = event.text
		self.log("warning", "no link to the runtime at " .. self.place .. ": " .. event.text)
	end
end

function Link:pong(message)
	local heartbeat = self.connection.heartbeat
	heartbeat:answered(message.n, self.now())
	self.rtt = heartbeat.rtt
end

function Link:settle(message)
	if message.type == "welcome" then
		self:welcome(message)
	elseif message.type == "pong" then
		self:pong(message)
	elseif message.type == "ack" and type(message.ids) == "table" then
		for _, id in ipairs(message.ids) do
			self.kept:ack(id)
		end
	elseif message.type == "error" and self.kept:has(message.of) then
		self.log("warning", "the runtime refused a kept message: " .. tostring(message.message))
		if FINAL_REFUSALS[message.code] then
			self.kept:ack(message.of)
		else
			self.again_at = self.again_at or self.now() + KEPT_AGAIN
		end
	end
end

function Link:receive_message(payload)
	local message, problem = self.codec:decode(payload)
	if not message then
		self.ignored = self.ignored + 1
		self.log("warning", "from the runtime: " .. problem)
		return
	end
	self:settle(message)
	for _, handler in ipairs(self.handlers[message.type] or {}) do
		self:run(handler, message)
	end
end

-- True when all events are dealt with before `deadline`.
function Link:dispatch(deadline)
	repeat
		local event = self.connection:pop()
		if not event then
			return true
		elseif event.kind == "message" then
			self:receive_message(event.payload)
		elseif event.kind == "open" then
			self:greet()
		else
			self:went_down(event)
		end
	until self.now() >= deadline
	return false
end

-- One server step's work: reads, dispatches and sends within the budget; what is left waits for the next step.
function Link:step()
	local connection = self.connection
	local now = self.now()
	local deadline, left = now + self.budget.seconds, self.budget.bytes
	connection:tick(now)
	while self:dispatch(deadline) and left > 0 do
		local count = connection:receive(math.min(CHUNK, left), self.now())
		left = left - count
		if count == 0 or self.now() >= deadline then
			self:dispatch(deadline)
			break
		end
	end
	if self.again_at and now >= self.again_at and self:is_up() then
		self.again_at = nil
		self.kept:start()
	end
	connection:flush(self.budget.bytes, self.now())
end

-- Says goodbye to the runtime; the link stays down from then on.
function Link:stop()
	self.connection:stop(self.now())
	self.welcomed = false
end

-- For display; times in seconds.
function Link:status()
	local now = self.now()
	local state = self.connection.state
	if state == "open" and not self.welcomed then
		state = "greeting"
	end
	return {
		state = state,
		since = now - self.connection.since,
		up = self:is_up(),
		down_for = self:down_for(),
		place = self.place,
		subprotocol = self.codec.subprotocol,
		rtt = self.rtt,
		queued = self.outbox:queued(),
		kept = self.kept.count,
		dropped = self.outbox.dropped,
		handler_errors = self.handler_errors,
		ignored = self.ignored,
		last_error = self.last_error,
	}
end

return link

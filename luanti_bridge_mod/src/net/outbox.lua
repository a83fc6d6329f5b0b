-- Payloads in, bytes out to a socket that takes what it can: the send resumes at the very byte. Bounded in
-- messages and bytes. Pure: returns its module table, never touches `core`; framing and writing are passed in.
--
-- Order on the wire: control frames (they may overtake waiting messages, never cut one in two), then `live`
-- messages, then kept ones, then `telemetry`; each class in its own order. `live` is refused when there is no
-- room and forgotten when the connection goes; telemetry waits for the next connection, and its oldest message
-- makes room for anything newer, and is counted. Kept messages live in `kept.lua` and are only passed through.

local outbox = {}

local MAX_URGENT = 16

local Queue = {}
Queue.__index = Queue

local function new_queue()
	return setmetatable({ head = 1, tail = 0, bytes = 0 }, Queue)
end

function Queue:size()
	return self.tail - self.head + 1
end

function Queue:push(payload)
	self.tail = self.tail + 1
	self[self.tail] = payload
	self.bytes = self.bytes + #payload
end

function Queue:pop()
	local payload = self[self.head]
	if payload then
		self[self.head] = nil
		self.head = self.head + 1
		self.bytes = self.bytes - #payload
	end
	return payload
end

local Outbox = {}
Outbox.__index = Outbox

-- `options`: max_messages and max_bytes (live and telemetry together), kept (the store: start, stop, take).
function outbox.new(options)
	return setmetatable({
		max_messages = options.max_messages,
		max_bytes = options.max_bytes,
		kept = options.kept,
		live = new_queue(),
		telemetry = new_queue(),
		urgent_frames = new_queue(),
		frame = nil,   -- bytes being sent
		at = 1,        -- the first of them that is not sent yet
		is_telemetry = false, -- the bytes being sent are
		ready = false, -- the runtime said welcome: telemetry and kept messages may go
		ending = false, -- the close frame is the last to go
		dropped = 0,   -- telemetry messages lost so far
	}, Outbox)
end

function Outbox:queued()
	return self.live:size() + self.telemetry:size()
end

function Outbox:fits(payload)
	return self:queued() < self.max_messages
		and self.live.bytes + self.telemetry.bytes + #payload <= self.max_bytes
end

-- `class`: "live" or "telemetry". True when taken, else nil and "full"; what telemetry was lost is in `dropped`.
function Outbox:push(payload, class)
	while not self:fits(payload) and self.telemetry:pop() do
		self.dropped = self.dropped + 1
	end
	if not self:fits(payload) then
		if class == "telemetry" then
			self.dropped = self.dropped + 1
		end
		return nil, "full"
	end
	self[class]:push(payload)
	return true
end

-- A control frame, already framed. A peer that does not read gets no endless row of them.
function Outbox:urgent(bytes)
	if self.urgent_frames:size() < MAX_URGENT then
		self.urgent_frames:push(bytes)
	end
end

function Outbox:next_frame(frame)
	self.is_telemetry = false
	local bytes = self.urgent_frames:pop()
	if bytes or self.ending then
		return bytes
	end
	local payload = self.live:pop() or self.kept:take()
	if not payload and self.ready then
		payload = self.telemetry:pop()
		self.is_telemetry = payload ~= nil
	end
	return payload and frame(payload)
end

-- Sends until all is gone, the socket takes no more, or about `max_bytes` went out. `frame(payload)` → bytes;
-- `write(bytes, offset)` → index of the last byte taken, or nil and a reason. Returns how many bytes went out, or
-- nil and that reason.
function Outbox:flush(frame, write, max_bytes)
	local sent = 0
	while sent < max_bytes do
		if not self.frame then
			self.frame, self.at = self:next_frame(frame), 1
			if not self.frame then
				break
			end
		end
		local last, reason = write(self.frame, self.at)
		if not last then
			return nil, reason
		end
		sent = sent + last - self.at + 1
		self.at = last + 1
		if last < #self.frame then
			break
		end
		self.frame = nil
	end
	return sent
end

-- The runtime has said welcome: what waited for it goes out, kept messages from the oldest on.
function Outbox:start()
	self.ready = true
	self.kept:start()
end

-- Sends this close frame after the frame under way, and then nothing more on this connection.
function Outbox:finish(close_frame)
	self.urgent_frames = new_queue()
	self:urgent(close_frame)
	self.ending = true
end

-- The connection is gone: forgets what belonged to it.
function Outbox:reset()
	self.kept:stop()
	self.ready, self.ending = false, false
	if self.frame and self.is_telemetry then
		self.dropped = self.dropped + 1
	end
	self.frame, self.at, self.is_telemetry = nil, 1, false
	self.live, self.urgent_frames = new_queue(), new_queue()
end

return outbox

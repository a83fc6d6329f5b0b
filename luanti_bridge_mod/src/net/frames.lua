-- WebSocket frames (RFC 6455), the client's side: payloads out as masked frames, the server's bytes in, in
-- pieces of any size, as whole messages and control frames. Pure: returns its module table, never touches
-- `core`, does no I/O, never throws on what the network brings.

local frames = {}

local bit = rawget(_G, "bit") or require("bit")
local bxor, band = bit.bxor, bit.band
local byte, char, sub, concat, floor = string.byte, string.char, string.sub, table.concat, math.floor

frames.CONTINUATION, frames.TEXT, frames.BINARY = 0x0, 0x1, 0x2
frames.CLOSE, frames.PING, frames.PONG = 0x8, 0x9, 0xA

local MAX_CONTROL = 125

-- Eight bytes a turn: 64 KiB take less than a millisecond under LuaJIT, and a string per eight bytes is all
-- the garbage.
function frames.mask(data, key)
	local k1, k2, k3, k4 = byte(key, 1, 4)
	local out, n = {}, 0
	local whole = #data - #data % 8
	for i = 1, whole, 8 do
		local a, b, c, d, e, f, g, h = byte(data, i, i + 7)
		n = n + 1
		out[n] = char(bxor(a, k1), bxor(b, k2), bxor(c, k3), bxor(d, k4),
			bxor(e, k1), bxor(f, k2), bxor(g, k3), bxor(h, k4))
	end
	for i = whole + 1, #data do
		n = n + 1
		out[n] = char(bxor(byte(data, i), byte(key, (i - 1) % 4 + 1)))
	end
	return concat(out)
end

local function length_bytes(length, masked_bit)
	if length <= 125 then
		return char(masked_bit + length)
	elseif length <= 0xFFFF then
		return char(masked_bit + 126, floor(length / 0x100), length % 0x100)
	end
	return char(masked_bit + 127, 0, 0, 0, 0, floor(length / 0x1000000) % 0x100,
		floor(length / 0x10000) % 0x100, floor(length / 0x100) % 0x100, length % 0x100)
end

-- One final frame. `mask_key`: four random bytes, new for each frame.
function frames.encode(opcode, payload, mask_key)
	return char(0x80 + opcode) .. length_bytes(#payload, 0x80) .. mask_key .. frames.mask(payload, mask_key)
end

-- The payload of a close frame; the reason is cut to what a control frame can hold.
function frames.close_payload(code, reason)
	return char(floor(code / 0x100), code % 0x100) .. sub(reason or "", 1, MAX_CONTROL - 2)
end

local function close_code_allowed(code)
	return (code >= 1000 and code <= 1003) or (code >= 1007 and code <= 1014) or (code >= 3000 and code <= 4999)
end

local Parser = {}
Parser.__index = Parser

-- `max_message`: bytes of one message, over all its fragments; `valid_utf8(text)` → boolean.
function frames.parser(options)
	return setmetatable({
		max_message = options.max_message,
		valid_utf8 = options.valid_utf8,
		head = "",          -- bytes of a header that is not complete yet
		parts = nil,        -- pieces of the payload being read; nil while a header is
		missing = 0,        -- bytes of that payload still to come
		opcode = nil,       -- of the frame being read
		final = false,
		message_opcode = nil, -- of the fragmented message being gathered
		fragments = {},
		gathered = 0,       -- bytes in `fragments`
		problem = nil,      -- {code, reason}: set once, then nothing more is read
		finished = false,   -- a close frame came: what follows is ignored
	}, Parser)
end

function Parser:fail(code, reason)
	self.problem = { code, reason }
	self.head, self.parts, self.fragments = "", nil, {}
end

-- How many bytes the header has, as far as its first bytes tell.
local function header_size(head)
	if #head < 2 then
		return 2
	end
	local length = band(byte(head, 2), 0x7F)
	return length == 126 and 4 or length == 127 and 10 or 2
end

local function payload_length(head)
	local length = band(byte(head, 2), 0x7F)
	if length < 126 then
		return length, true
	end
	local value = 0
	for i = 3, #head do
		value = value * 0x100 + byte(head, i)
	end
	return value, value >= (length == 126 and 126 or 0x10000)
end

-- Judges a complete header before a byte of its payload is stored.
function Parser:open_frame(head)
	local first, second = byte(head, 1, 2)
	local opcode, final = band(first, 0x0F), first >= 0x80
	if band(first, 0x70) ~= 0 then
		return self:fail(1002, "reserved bits set: compression and other extensions were not agreed")
	elseif second >= 0x80 then
		return self:fail(1002, "masked frame from the server")
	elseif opcode > frames.PONG or (opcode > frames.BINARY and opcode < frames.CLOSE) then
		return self:fail(1002, "unknown opcode " .. opcode)
	end
	local length, minimal = payload_length(head)
	if not minimal then
		return self:fail(1002, "length not in its shortest form")
	elseif opcode >= frames.CLOSE then
		if not final then
			return self:fail(1002, "fragmented control frame")
		elseif length > MAX_CONTROL then
			return self:fail(1002, "control frame longer than 125 bytes")
		end
	elseif opcode == frames.CONTINUATION then
		if not self.message_opcode then
			return self:fail(1002, "continuation without a start")
		end
	elseif self.message_opcode then
		return self:fail(1002, "new message inside a fragmented one")
	end
	if opcode < frames.CLOSE and self.gathered + length > self.max_message then
		return self:fail(1009, "message longer than " .. self.max_message .. " bytes")
	end
	self.opcode, self.final, self.missing, self.parts = opcode, final, length, {}
end

function Parser:end_close(payload, events)
	local event = { opcode = frames.CLOSE, code = 1005, reason = "" }
	if #payload == 1 then
		return self:fail(1002, "close frame with half a code")
	elseif #payload >= 2 then
		local high, low = byte(payload, 1, 2)
		event.code, event.reason = high * 0x100 + low, sub(payload, 3)
		if not close_code_allowed(event.code) then
			return self:fail(1002, "close code " .. event.code .. " is not allowed on the wire")
		elseif not self.valid_utf8(event.reason) then
			return self:fail(1007, "close reason is not UTF-8")
		end
	end
	self.finished = true
	events[#events + 1] = event
end

function Parser:end_data(payload, events)
	local opcode = self.message_opcode or self.opcode
	if not self.final then
		self.message_opcode = opcode
		self.gathered = self.gathered + #payload
		if payload ~= "" then
			self.fragments[#self.fragments + 1] = payload
		end
		return
	end
	if self.message_opcode then
		self.fragments[#self.fragments + 1] = payload
		payload = concat(self.fragments)
		self.message_opcode, self.fragments, self.gathered = nil, {}, 0
	end
	if opcode == frames.TEXT and not self.valid_utf8(payload) then
		return self:fail(1007, "text is not UTF-8")
	end
	events[#events + 1] = { opcode = opcode, payload = payload }
end

function Parser:end_frame(events)
	local payload = concat(self.parts)
	self.parts = nil
	if self.opcode == frames.CLOSE then
		self:end_close(payload, events)
	elseif self.opcode >= frames.PING then
		events[#events + 1] = { opcode = self.opcode, payload = payload }
	else
		self:end_data(payload, events)
	end
end

-- Takes the next bytes. Returns the list of what they completed, in order: {opcode = TEXT or BINARY, payload},
-- {opcode = PING or PONG, payload}, {opcode = CLOSE, code, reason}; and, when the peer broke the protocol, the
-- close code to answer with and the reason. After that, and after a close frame, nothing more is read.
function Parser:feed(data)
	local events, at = {}, 1
	while not self.problem and not self.finished do
		if not self.parts then
			local wanted = header_size(self.head) - #self.head
			local piece = sub(data, at, at + wanted - 1)
			self.head, at = self.head .. piece, at + #piece
			if #piece < wanted then
				break
			end
			if #self.head == header_size(self.head) then
				local head = self.head
				self.head = ""
				self:open_frame(head)
			end
		else
			local piece = sub(data, at, at + self.missing - 1)
			self.missing, at = self.missing - #piece, at + #piece
			if piece ~= "" then
				self.parts[#self.parts + 1] = piece
			end
			if self.missing > 0 then
				break
			end
			self:end_frame(events)
		end
	end
	if self.problem then
		return events, self.problem[1], self.problem[2]
	end
	return events
end

return frames

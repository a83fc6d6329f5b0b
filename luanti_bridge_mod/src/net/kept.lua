-- Messages that must arrive: in with an id, out again and again until that id is acked, in order, over restarts.
-- Storage, codec and log are passed in. Pure: returns its module table, never touches `core`. Nothing is ever
-- dropped: a full store refuses the next message.

local kept = {}

local Kept = {}
Kept.__index = Kept

-- `options`: storage {get(key) → string or nil, set(key, string); "" removes}, codec, log(level, text),
-- max (messages in the store), window (messages sent but not acked at one time).
function kept.new(options)
	local self = setmetatable({
		storage = options.storage, codec = options.codec, log = options.log,
		max = options.max, window = options.window,
		first = 1, last = 0,  -- places in the store; acked ones between them are empty
		entries = {},         -- place → {id, payload}
		places = {},          -- id → place
		count = 0,
		cursor = nil,         -- the next place to send on this connection; nil while there is none
		unacked = 0,          -- sent on this connection and not acked
	}, Kept)
	self:load()
	return self
end

local function entry_key(place)
	return "kept." .. place
end

function Kept:put(place, message, payload)
	self.entries[place] = { id = message.id, payload = payload }
	self.places[message.id] = place
	self.count = self.count + 1
end

function Kept:load()
	local get = self.storage.get
	self.first = tonumber(get("kept.first") or "") or 1
	self.last = tonumber(get("kept.last") or "") or self.first - 1
	for place = self.first, self.last do
		local text = get(entry_key(place)) or ""
		if text ~= "" then
			local message, problem = self.codec:from_json(text)
			local payload
			if message then
				payload, problem = self.codec:encode(message)
			end
			if payload and type(message.id) == "string" then
				self:put(place, message, payload)
			else
				self.log("error", "a kept message in the storage cannot be read and stays there as "
					.. entry_key(place) .. ": " .. tostring(problem or "it has no id"))
			end
		end
	end
end

-- Takes a message with an `id`. True when it is in the store (also when it was already), else nil and the reason.
function Kept:add(message)
	if type(message.id) ~= "string" then
		return nil, "a kept message needs an id"
	elseif self.places[message.id] then
		return true
	elseif self.count >= self.max then
		return nil, "full"
	end
	local payload, problem = self.codec:encode(message)
	if not payload then
		return nil, problem
	end
	local place = self.last + 1
	self.storage.set(entry_key(place), (self.codec:to_json(message)))
	self.storage.set("kept.last", tostring(place))
	self.last = place
	self:put(place, message, payload)
	return true
end

function Kept:has(id)
	return id ~= nil and self.places[id] ~= nil
end

-- The message with that id need not be sent any more. False when there is none.
function Kept:ack(id)
	local place = self:has(id) and self.places[id]
	if not place then
		return false
	end
	self.places[id], self.entries[place] = nil, nil
	self.count = self.count - 1
	self.storage.set(entry_key(place), "")
	if self.cursor and place < self.cursor and self.unacked > 0 then
		self.unacked = self.unacked - 1
	end
	if place == self.first then
		repeat
			self.first = self.first + 1
		until self.entries[self.first] or self.first > self.last
		self.storage.set("kept.first", tostring(self.first))
	end
	return true
end

-- A connection is ready: all that is not acked is to be sent, from the oldest on.
function Kept:start()
	self.cursor, self.unacked = self.first, 0
end

function Kept:stop()
	self.cursor, self.unacked = nil, 0
end

-- The payload of the next message to send, or nil.
function Kept:take()
	if not self.cursor or self.unacked >= self.window then
		return nil
	end
	while self.cursor <= self.last do
		local entry = self.entries[self.cursor]
		self.cursor = self.cursor + 1
		if entry then
			self.unacked = self.unacked + 1
			return entry.payload
		end
	end
	return nil
end

return kept

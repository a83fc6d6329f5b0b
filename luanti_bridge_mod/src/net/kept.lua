-- Messages that must arrive: in with an id, out again and again until that id is acked, in order, over restarts.
-- A player's newer word takes the place of the older one, which would otherwise come last when only it has to be sent
-- again. Storage, codec and log are passed in. Pure: returns its module table, never touches `core`. Nothing else is
-- ever dropped: a full store refuses the next message.

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
		entries = {},         -- place → {id, payload, subject, other, words_of; round: when it was last sent}
		places = {},          -- id → place
		latest = {},          -- subject → place
		count = 0,
		cursor = nil,         -- the next place to send in this round; nil while there is no connection
		round = 0,            -- how often all has been sent from the oldest on
		unacked = 0,          -- sent in this round and not acked
	}, Kept)
	self:load()
	return self
end

local function entry_key(place)
	return "kept." .. place
end

-- What a message speaks of, of which the store has the latest message only. Also, for an erasure, the choice that it
-- replaces, and for a choice, which does less than an erasure, the erasure that has to be acked before it goes out.
local function subject_of(message)
	local player = tostring(message.player)
	local erasure, choice = "erasure " .. player, "choice " .. player
	if message.type ~= "consent" then
		return message.reply and message.type .. " " .. message.reply .. " " .. player or message.id
	elseif message.choice == "erase" then
		return erasure, choice
	end
	return choice, erasure
end

-- Whose words a message holds, which go with an erasure; nil when it holds none.
local function words_of(message)
	return message.type == "demonstration" and tostring(message.player) or nil
end

-- The places of the messages that this one replaces.
function Kept:replaced(message)
	local subject, other = subject_of(message)
	local places = { self.latest[subject] }
	if message.choice == "erase" then
		places[#places + 1] = self.latest[other]
		for place, entry in pairs(self.entries) do
			if entry.words_of == tostring(message.player) then
				places[#places + 1] = place
			end
		end
	end
	return places
end

function Kept:put(place, message, payload)
	for _, older in ipairs(self:replaced(message)) do
		self:forget(older)
	end
	local subject, other = subject_of(message)
	self.entries[place] = {
		id = message.id, payload = payload, subject = subject, other = other, words_of = words_of(message),
	}
	self.places[message.id], self.latest[subject] = place, place
	self.count = self.count + 1
end

function Kept:forget(place)
	local entry = self.entries[place]
	self.places[entry.id], self.latest[entry.subject], self.entries[place] = nil, nil, nil
	self.count = self.count - 1
	self.storage.set(entry_key(place), "")
	if self.cursor and entry.round == self.round then
		self.unacked = self.unacked - 1
	end
end

-- Places at the front that have become empty are not looked at again.
function Kept:shorten()
	local first = self.first
	while self.first <= self.last and not self.entries[self.first] do
		self.first = self.first + 1
	end
	if self.first ~= first then
		self.storage.set("kept.first", tostring(self.first))
	end
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
	elseif self.count >= self.max and #self:replaced(message) == 0 then
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
	self:shorten()
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
	local waiting = self.latest[self.entries[place].other]
	self:forget(place)
	self:shorten()
	if self.cursor and waiting and waiting < self.cursor then
		self.cursor = waiting
	end
	return true
end

-- A connection is ready: all that is not acked is to be sent, from the oldest on.
function Kept:start()
	self.cursor, self.unacked = self.first, 0
	self.round = self.round + 1
end

function Kept:stop()
	self.cursor, self.unacked = nil, 0
end

function Kept:may_go(place)
	local entry = self.entries[place]
	if not entry or entry.round == self.round then
		return false
	end
	local other = self.latest[entry.other]
	return not other or other > place
end

-- The payload of the next message to send, or nil.
function Kept:take()
	if not self.cursor or self.unacked >= self.window then
		return nil
	end
	while self.cursor <= self.last do
		local place = self.cursor
		self.cursor = place + 1
		if self:may_go(place) then
			local entry = self.entries[place]
			entry.round = self.round
			self.unacked = self.unacked + 1
			return entry.payload
		end
	end
	return nil
end

return kept

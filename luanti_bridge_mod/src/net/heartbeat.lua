-- When to send a heartbeat, how long its answer takes, and whether the peer is dead. Time is passed in. Pure:
-- returns its module table, never touches `core`, sends nothing itself.

local heartbeat = {}

-- A dead peer must be known within 5 s; the rest is for the server step that finds out.
local SILENCE_MAX = 4.75
-- A step of ours that took longer says nothing about the peer.
local STEP_MAX = 0.5
local INTERVAL_MIN, INTERVAL_MAX = 0.1, 2
-- Where pongs may be late by the link's jitter, more heartbeats keep the silence between them short.
local INTERVAL_SLOW_LINK, SLOW_LINK = 1, 1
local PINGS_REMEMBERED = 8

heartbeat.SILENCE_MAX = SILENCE_MAX

local Heartbeat = {}
Heartbeat.__index = Heartbeat

-- For a connection that is open since `now`.
function heartbeat.new(now)
	return setmetatable({
		interval = INTERVAL_MAX,
		due_at = nil,   -- when the next one is to be sent; nil before the hello
		sent = 0,
		sent_at = {},   -- number of a heartbeat → when it was sent
		rtt = nil,      -- seconds, of the latest answer
		silence = 0,    -- seconds that we listened and heard nothing
		listened_at = now,
	}, Heartbeat)
end

-- Until the first answer has told how slow the link is, it may be slow.
function Heartbeat:interval_now()
	local fast = self.rtt and self.rtt <= SLOW_LINK
	return fast and self.interval or math.min(self.interval, INTERVAL_SLOW_LINK)
end

-- The hello is on its way: heartbeats follow it, so that answers are under way when the welcome comes.
function Heartbeat:begin(now)
	self.due_at = now + self:interval_now()
end

-- The runtime asks for one every `seconds`; taken within what still notices a dead peer in time.
function Heartbeat:set_interval(seconds, now)
	self.interval = math.max(INTERVAL_MIN, math.min(INTERVAL_MAX, tonumber(seconds) or INTERVAL_MAX))
	self.due_at = math.min(self.due_at or now, now + self:interval_now())
end

-- The number of the heartbeat to send now, or nil.
function Heartbeat:next(now)
	if not self.due_at or now < self.due_at then
		return nil
	end
	self.sent = self.sent + 1
	self.sent_at[self.sent] = now
	self.sent_at[self.sent - PINGS_REMEMBERED] = nil
	self.due_at = now + self:interval_now()
	return self.sent
end

-- The answer to number `n` came.
function Heartbeat:answered(n, now)
	local sent_at = n and self.sent_at[n]
	if sent_at then
		self.rtt = now - sent_at
		self.sent_at[n] = nil
	end
end

-- We listened: did anything come?
function Heartbeat:listened(something, now)
	self.silence = something and 0 or self.silence + math.min(now - self.listened_at, STEP_MAX)
	self.listened_at = now
end

function Heartbeat:peer_is_dead()
	return self.silence >= SILENCE_MAX
end

return heartbeat

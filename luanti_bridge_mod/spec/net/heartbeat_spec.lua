local net = dofile("spec/support/net.lua")
local heartbeat = net.load("net/heartbeat")

describe("heartbeat", function()
	-- How many are sent from `from` to `to`, looked at ten times a second.
	local function count(h, from, to)
		local sent = 0
		for tenth = from * 10, to * 10 - 1 do
			sent = sent + (h:next(tenth / 10) and 1 or 0)
		end
		return sent
	end

	it("sends none before the hello", function()
		local h = heartbeat.new(100)
		assert.equal(0, count(h, 100, 110))
		h:begin(110)
		assert.is_nil(h:next(110.9))
		assert.equal(1, h:next(111))
	end)

	it("sends one a second until it knows that the link is fast, then as often as asked", function()
		local h = heartbeat.new(100)
		h:begin(100)
		h:set_interval(2, 100)
		assert.equal(9, count(h, 100, 110))
		h:answered(9, 109.25)
		assert.equal(0.25, h.rtt)
		assert.equal(5, count(h, 110, 120))
		h:answered(14, 123)
		assert.is_true(h.rtt > 1)
		assert.equal(10, count(h, 120, 130))
	end)

	it("takes an interval only within what notices a dead peer in time", function()
		for given, used in pairs({ [1] = 1, [60] = 2, [0] = 0.1, [-1] = 0.1, nonsense = 2 }) do
			local h = heartbeat.new(0)
			h:set_interval(given, 0)
			assert.equal(used, h.interval)
		end
	end)

	it("knows a dead peer after 4.75 s of silence, and that a word ends it", function()
		local h = heartbeat.new(0)
		for tenth = 1, 47 do
			h:listened(false, tenth / 10)
			assert.is_false(h:peer_is_dead())
		end
		h:listened(true, 4.75)
		for tenth = 48, 94 do
			h:listened(false, tenth / 10)
			assert.is_false(h:peer_is_dead())
		end
		h:listened(false, 9.6)
		assert.is_true(h:peer_is_dead())
	end)

	it("does not count the time in which we did not listen", function()
		local h = heartbeat.new(0)
		h:listened(false, 600)
		assert.is_false(h:peer_is_dead())
		assert.equal(0.5, h.silence)
	end)

	it("is not confused by answers that nobody asked for", function()
		local h = heartbeat.new(0)
		h:begin(0)
		h:next(1)
		for _, n in ipairs({ 7, "1", {}, true, -1 }) do
			h:answered(n, 2)
		end
		h:answered(nil, 2)
		assert.is_nil(h.rtt)
		h:answered(1, 2)
		h:answered(1, 9)
		assert.equal(1, h.rtt)
	end)
end)

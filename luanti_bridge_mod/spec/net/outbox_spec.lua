local net = dofile("spec/support/net.lua")
local outbox = net.load("net/outbox")

describe("outbox", function()
	local waiting, kept, wire, takes

	local function new(max_messages, max_bytes)
		return outbox.new({ max_messages = max_messages or 10, max_bytes = max_bytes or 1000, kept = kept })
	end

	local function frame(payload)
		return "<" .. payload .. ">"
	end

	local function write(bytes, offset)
		local last = math.min(#bytes, offset + takes - 1)
		takes = takes - (last - offset + 1)
		wire = wire .. bytes:sub(offset, last)
		return last
	end

	local function flush(o, room, max)
		takes = room or 1e9
		return o:flush(frame, write, max or 1e9)
	end

	before_each(function()
		waiting, wire = {}, ""
		local ready = false
		kept = {
			start = function() ready = true end,
			stop = function() ready = false end,
			take = function() return ready and table.remove(waiting, 1) or nil end,
		}
	end)

	it("resumes at the byte, wherever the socket stops", function()
		for room = 1, 5 do
			wire = ""
			local o = new()
			o:push("abc", "live")
			o:push("defgh", "live")
			for _ = 1, 20 do
				flush(o, room)
			end
			assert.equal("<abc><defgh>", wire)
		end
	end)

	it("sends live messages, then kept ones, then telemetry", function()
		local o = new()
		o:start()
		o:push("t1", "telemetry")
		o:push("t2", "telemetry")
		waiting = { "k1", "k2" }
		o:push("l1", "live")
		o:push("l2", "live")
		flush(o)
		assert.equal("<l1><l2><k1><k2><t1><t2>", wire)
	end)

	it("holds telemetry and kept messages back until the runtime said welcome", function()
		local o = new()
		o:push("t", "telemetry")
		waiting = { "k" }
		o:push("hello", "live")
		flush(o)
		assert.equal("<hello>", wire)
		o:start()
		flush(o)
		assert.equal("<hello><k><t>", wire)
	end)

	it("lets a control frame overtake messages, but not cut one in two", function()
		local o = new()
		o:push("abc", "live")
		o:push("def", "live")
		flush(o, 2)
		o:urgent("PONG")
		flush(o)
		assert.equal("<abc>PONG<def>", wire)
	end)

	it("drops the oldest telemetry first, and counts it", function()
		local o = new(3)
		for i = 1, 5 do
			assert.is_true(o:push("t" .. i, "telemetry"))
		end
		assert.equal(2, o.dropped)
		assert.is_true(o:push("l", "live"))
		assert.equal(3, o.dropped)
		o:start()
		flush(o)
		assert.equal("<l><t4><t5>", wire)
	end)

	it("is bounded in bytes as well", function()
		local o = new(100, 10)
		o:push("aaaa", "telemetry")
		o:push("bbbb", "telemetry")
		o:push("cccc", "telemetry")
		assert.equal(1, o.dropped)
		assert.equal(2, o:queued())
		local taken = o:push(("x"):rep(11), "telemetry")
		assert.is_nil(taken)
		assert.equal(4, o.dropped)
	end)

	it("refuses a live message when there is no room, and drops no other live one for it", function()
		local o = new(2)
		o:push("a", "live")
		o:push("b", "live")
		local taken, reason = o:push("c", "live")
		assert.is_nil(taken)
		assert.equal("full", reason)
		assert.is_nil((o:push("t", "telemetry")))
		assert.equal(1, o.dropped)
		flush(o)
		assert.equal("<a><b>", wire)
	end)

	it("sends about as many bytes as allowed at a time", function()
		local o = new()
		for _ = 1, 5 do
			o:push("12345678", "live")
		end
		assert.equal(20, flush(o, nil, 15))
		assert.equal("<12345678><12345678>", wire)
	end)

	it("forgets live messages with the connection, never a half one on the next; telemetry waits", function()
		local o = new()
		o:start()
		o:push("abc", "live")
		o:push("def", "live")
		o:push("tel", "telemetry")
		flush(o, 2)
		o:reset()
		wire = ""
		flush(o)
		assert.equal("", wire)
		o:start()
		flush(o)
		assert.equal("<tel>", wire)
		assert.equal(0, o.dropped)
	end)

	it("counts telemetry that broke off with the connection", function()
		local o = new()
		o:start()
		o:push("tel", "telemetry")
		flush(o, 2)
		o:reset()
		assert.equal(1, o.dropped)
	end)

	it("sends nothing after the close frame", function()
		local o = new()
		o:start()
		o:push("abc", "live")
		o:push("def", "live")
		flush(o, 2)
		o:finish("CLOSE")
		flush(o)
		assert.equal("<abc>CLOSE", wire)
	end)

	it("keeps no endless row of pongs for a peer that does not read", function()
		local o = new()
		for _ = 1, 1000 do
			o:urgent("P")
		end
		flush(o)
		assert.equal(16, #wire)
	end)

	it("passes on why the socket is gone", function()
		local o = new()
		o:push("abc", "live")
		local sent, reason = o:flush(frame, function() return nil, "closed" end, 100)
		assert.is_nil(sent)
		assert.equal("closed", reason)
	end)
end)

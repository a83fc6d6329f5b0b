local net = dofile("spec/support/net.lua")
local runtime = dofile("spec/support/runtime.lua")

describe("connection", function()
	local world, codec, outbox, connection, now

	before_each(function()
		codec = net.codec(net.messagepack())
		world, now = runtime.new(codec), 50
		outbox = net.load("net/outbox").new({
			max_messages = 10, max_bytes = 1000,
			kept = { start = function() end, stop = function() end, take = function() end },
		})
		connection = net.load("net/connection").new({
			frames = net.load("net/frames"), handshake = net.load("net/handshake"),
			heartbeat = net.load("net/heartbeat"),
			backoff = net.load("net/backoff"),
			valid_utf8 = net.load("net/utf8").valid, socket = world, outbox = outbox,
			address = "127.0.0.1", host = "runtime.example", port = 30301, path = "/", token = "t",
			subprotocol = codec.subprotocol, binary = codec.binary, sha1 = net.sha1, base64 = net.base64,
			random = net.random(10), ping = function(n) return (codec:encode({ type = "ping", n = n })) end,
		}, now)
	end)

	-- One step at that time; returns the kinds of events it brought.
	local function step(at, keep_events)
		now = at
		connection:tick(now)
		repeat until connection:receive(8192, now) == 0
		connection:flush(65536, now)
		local kinds = {}
		while not keep_events do
			local event = connection:pop()
			if not event then
				break
			end
			kinds[#kinds + 1] = event.kind == "down" and "down:" .. event.why or event.kind
		end
		return table.concat(kinds, " ")
	end

	it("goes from down to open, and names the host it was given", function()
		assert.equal("down", connection.state)
		assert.equal("open", step(50))
		assert.equal("open", connection.state)
		assert.matches("Host: runtime.example:30301", world.request, 1, true)
	end)

	it("waits in `connecting` for 2 s, in `handshaking` for 7 s", function()
		world.mode = "blackhole"
		step(50)
		assert.equal("connecting", connection.state)
		assert.equal("", step(51.9))
		assert.equal("down:timeout", step(52))
		world.mode, world.silent = "listen", true
		step(60)
		assert.equal("handshaking", connection.state)
		assert.equal("", step(66.9))
		assert.equal("down:timeout", step(67))
	end)

	it("begins no new connection before the events of the last one are taken", function()
		step(50)
		world:reset()
		step(51, true)
		assert.equal("down", connection.state)
		step(60, true)
		assert.equal("down", connection.state)
		assert.equal("down:lost", step(60))
		assert.equal("open", step(61))
	end)

	it("hands out the messages that came before the end of the connection", function()
		step(50)
		world:say({ type = "notice", n = 1 })
		world:say({ type = "notice", n = 2 })
		world.peer.finished = true
		assert.equal("message message down:lost", step(51))
	end)

	it("keeps each wait between half and the whole of its doubled bound", function()
		for mode, most in pairs({ refuse = 1.5, blackhole = 5 }) do
			world.mode = mode
			connection.failures = 0
			for failure = 1, 12 do
				repeat until step(now + 0.01):find("down")
				local bound = math.min(most, 0.25 * 2 ^ (failure - 1))
				local wait = connection.retry_at - now
				assert.is_true(wait >= bound / 2 and wait <= bound, mode .. " " .. failure .. ": " .. wait)
			end
		end
	end)

	it("closes in `closing` and gives the peer a second to agree", function()
		step(50)
		world.silent = true
		connection:close(1002, "protocol", "why not", now)
		assert.equal("closing", connection.state)
		assert.equal("", step(50.9))
		assert.equal("down:protocol", step(51))
	end)

	it("is down at once when the peer agrees", function()
		step(50)
		connection:close(1000, "closed", "enough", now)
		assert.equal("down:closed", step(50.1))
		assert.same({ 1000, "enough" }, world.closes[1])
	end)

	it("reads nothing more from a peer that broke the protocol", function()
		step(50)
		world:raw("\193\0")
		world:say({ type = "notice" })
		assert.equal("down:protocol", step(51))
		assert.equal(1002, world.closes[1][1])
	end)

	it("hands out nothing that follows a frame of the wrong kind", function()
		step(50)
		world:frame(1, "{}")
		world:say({ type = "notice" })
		assert.equal("down:protocol", step(51))
		assert.equal(1003, world.closes[1][1])
	end)

	it("sends heartbeats only after the hello", function()
		step(50)
		step(53)
		assert.equal(0, #world:of_type("ping"))
		connection:greeted(53)
		step(54)
		step(55)
		assert.equal(2, #world:of_type("ping"))
	end)

	it("gives up on a peer that says no welcome, and on one that is silent after it", function()
		step(50)
		step(56.9)
		assert.equal("open", connection.state)
		assert.equal("down:timeout", step(57) .. step(58))
		step(70)
		connection:confirm(2, 70)
		world.silent = true
		local said = ""
		for at = 70.5, 75, 0.5 do
			said = said .. step(at)
		end
		assert.equal("down:silent", said)
	end)
end)

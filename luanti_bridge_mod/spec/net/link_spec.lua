-- The link with its connection, outbox and store, against a runtime in memory that speaks real WebSocket.

local net = dofile("spec/support/net.lua")
local runtime = dofile("spec/support/runtime.lua")
local new_storage = dofile("spec/support/storage.lua")

local STEP = 0.09

describe("link", function()
	local world, codec, storage, clock, log, link, since_start

	local function new_link(changes)
		local options = {
			load = net.load, socket = world, codec = codec, host = "127.0.0.1", port = 30301, token = "secret",
			sha1 = net.sha1, base64 = net.base64, now = function() return clock end, random = net.random(8),
			log = function(level, text) log[#log + 1] = level .. ": " .. text end,
			storage = storage, budget = { bytes = 65536, seconds = 0.001 },
		}
		for name, value in pairs(changes or {}) do
			options[name] = value
		end
		link = net.load("net/link").new(options)
		link.hello = function()
			return { type = "hello", protocol = 1 }
		end
		since_start = clock
	end

	local function run(seconds)
		for _ = 1, math.ceil(seconds / STEP) do
			clock = clock + STEP
			link:step()
		end
	end

	-- Steps until the condition holds; fails after `limit` seconds. Returns how long it took.
	local function run_until(limit, condition)
		local from = clock
		while not condition() do
			assert(clock - from <= limit, "not within " .. limit .. " s: " .. tostring(link:status().last_error))
			clock = clock + STEP
			link:step()
		end
		return clock - from
	end

	local function up()
		return link:is_up()
	end

	local function down()
		return not link:is_up()
	end

	local function rating(i)
		return { type = "rating", id = ("01JD%022d"):format(i), value = 5 }
	end

	before_each(function()
		clock, log, storage = 1000, {}, new_storage()
		codec = net.codec(net.messagepack())
		world = runtime.new(codec)
		new_link()
	end)

	for _, name in ipairs({ "msgpack", "json" }) do
		it("says hello, is up with the welcome, and talks; " .. name, function()
			codec = net.codec(name == "msgpack" and net.messagepack() or nil)
			world = runtime.new(codec)
			new_link()
			assert.is_false(link:is_up())
			run_until(1, up)
			assert.matches("Authorization: Bearer secret\r\n", world.request, 1, true)
			assert.equal("hello", world.messages[1].type)
			local heard = {}
			link:on("reply_delta", function(message) heard[#heard + 1] = message.text end)
			assert.is_true(link:send({ type = "chat", text = "hi" }))
			-- Before any step: it went out inside the chat callback.
			assert.equal("hi", world:of_type("chat")[1].text)
			for i = 1, 5 do
				world:say({ type = "reply_delta", text = "w" .. i })
			end
			run(STEP)
			assert.same({ "w1", "w2", "w3", "w4", "w5" }, heard)
			assert.same({ "action: connected to the runtime at 127.0.0.1:30301" }, log)
		end)
	end

	it("works when every read gives one byte and every write takes eight", function()
		world.slice, world.takes = 1, 8
		run_until(5, up)
		local heard
		link:on("notice", function(message) heard = message.text end)
		link:send({ type = "chat", text = ("x"):rep(300) })
		world:say({ type = "notice", text = ("y"):rep(300) })
		run(STEP * 100)
		assert.equal(("y"):rep(300), heard)
		assert.equal(("x"):rep(300), world:of_type("chat")[1].text)
	end)

	it("refuses chat while it is down, and says for how long", function()
		world.mode = "refuse"
		run(4)
		local sent, reason = link:send({ type = "chat" })
		assert.is_nil(sent)
		assert.equal("down", reason)
		assert.is_true(math.abs(link:down_for() - (clock - since_start)) < 0.001)
		world.mode = "listen"
		run_until(2, up)
		assert.equal(0, link:down_for())
		run(1)
		assert.same({}, world:of_type("chat"))
	end)

	it("refuses chat before the welcome", function()
		world.welcome = nil
		run(1)
		assert.equal("greeting", link:status().state)
		assert.is_nil((link:send({ type = "chat" })))
	end)

	it("gives up a black-holed connect after 2 s and tries again within 5 s", function()
		world.mode = "blackhole"
		run_until(STEP, function() return link:status().state == "connecting" end)
		local took = run_until(3, function() return link:status().state == "down" end)
		assert.is_true(took >= 2 and took <= 2 + 2 * STEP)
		for _ = 1, 8 do
			run_until(5 + STEP, function() return link:status().state == "connecting" end)
			run_until(2 + 2 * STEP, function() return link:status().state == "down" end)
		end
		assert.equal(1, #log)
	end)

	it("waits longer with each refusal, each time differently, never over 1.5 s", function()
		world.mode = "refuse"
		local waits = {}
		for _ = 1, 30 do
			local connects = world.connects
			waits[#waits + 1] = run_until(1.5 + 2 * STEP, function() return world.connects > connects end)
		end
		assert.is_true(waits[2] <= 0.25 + 2 * STEP)
		assert.is_true(waits[30] >= 0.75 - STEP)
		local different = {}
		for i = 10, 30 do
			different[("%.2f"):format(waits[i])] = true
		end
		assert.is_true(next(different, next(different)) ~= nil)
		assert.equal(1, #log)
	end)

	it("is up within 2 s after the runtime is back, however long it was away", function()
		for away = 1, 40 do
			run_until(2, up)
			world:reset()
			world.mode = "refuse"
			run(away * 0.7)
			world.mode = "listen"
			run_until(2, up)
		end
	end)

	it("tries soon again after a stable connection", function()
		world.mode = "refuse"
		run(20)
		world.mode = "listen"
		run_until(2, up)
		run(6)
		world:reset()
		run_until(STEP, down)
		assert.is_true(run_until(1, up) <= 0.25 + 3 * STEP)
	end)

	it("knows a half-open link within 5 s", function()
		run_until(1, up)
		run(10)
		assert.is_true(link:is_up())
		world.silent = true
		assert.is_true(run_until(5, down) > 2)
		assert.matches("silent", link:status().last_error)
	end)

	it("does not take its own long step for a dead peer", function()
		run_until(1, up)
		for _ = 1, 5 do
			clock = clock + 30
			link:step()
			run(1)
			assert.is_true(link:is_up())
		end
	end)

	it("stays up with a latency of 2 s give or take 1 s each way, and still knows a dead peer within 5 s", function()
		local random = net.random(11)
		world.now = function() return clock end
		world.delay = function() return 1 + 2 * random(1):byte() / 255 end
		local heard, said = {}, 0
		link:on("notice", function(message) heard[#heard + 1] = message.n end)
		run_until(20, up)
		for _ = 1, 1200 do
			said = said + 1
			world:say({ type = "notice", n = said })
			link:send({ type = "chat", n = said })
			run(0.5)
			assert.is_true(link:is_up())
		end
		assert.equal(1, world.connects)
		run(7)
		assert.equal(said, #heard)
		assert.equal(said, #world:of_type("chat"))
		for _ = 1, 40 do
			run(10)
			assert.equal(1, world.connects)
		end
		world.silent = true
		-- What the runtime sent before it died is still under way.
		run(6)
		if link:is_up() then
			run_until(5, down)
		end
	end)

	it("sends heartbeats as often as the welcome asks, and knows the round trip", function()
		world.welcome.heartbeat = 0.5
		run_until(1, up)
		run(10)
		local count = #world:of_type("ping")
		assert.is_true(count >= 15 and count <= 21, count .. " pings")
		assert.is_true(link:status().rtt <= 2 * STEP)
	end)

	it("answers the WebSocket ping", function()
		run_until(1, up)
		world:frame(9, "are you there")
		run(STEP)
		assert.equal("are you there", world.ponged)
	end)

	it("says what to do about a wrong token, once", function()
		world.status = "401 Unauthorized"
		run(30)
		assert.equal(1, #log)
		assert.matches("warning: .*the token is wrong", log[1])
		assert.matches("townsfolk.token", link:status().last_error, 1, true)
		assert.is_true(world.connects <= 12)
	end)

	it("gives up on a runtime that never says welcome, and comes back", function()
		world.welcome = nil
		run_until(8, function() return #world.closes > 0 end)
		world.welcome = { type = "welcome", protocol = 1, heartbeat = 2 }
		run_until(6, up)
	end)

	it("takes no welcome from a connection that is gone already", function()
		link:send({ type = "event", n = 1 })
		world.welcome = nil
		run_until(1, function() return #world.messages > 0 end)
		world:say({ type = "welcome", protocol = 1, heartbeat = 2 })
		world:frame(8, "\3\233stopping")
		run(STEP)
		assert.same({ "warning: no link to the runtime at 127.0.0.1:30301: the runtime closed the connection (1001: stopping)" },
			log)
		world.messages = {}
		run_until(2, function() return #world.messages > 0 end)
		run(1)
		assert.equal("hello", world.messages[1].type)
		assert.same({}, world:of_type("event"))
	end)

	it("refuses a runtime of another protocol", function()
		world.welcome = { type = "welcome", protocol = 2, heartbeat = 2 }
		run(3)
		assert.is_false(link:is_up())
		assert.matches("protocol 2, this mod 1", log[1])
	end)

	it("closes with the code that belongs to a broken frame", function()
		for bytes, code in pairs({
			["\129\133abcdefghi"] = 1002, ["\194\1a"] = 1002, ["\130\127\0\0\0\0\127\0\0\0"] = 1009,
			["\136\3\3\232\255"] = 1007, ["\129\1a"] = 1003,
		}) do
			run_until(8, up)
			world.closes = {}
			world:raw(bytes)
			run_until(2, down)
			assert.equal(code, world.closes[1][1])
		end
	end)

	it("survives messages that mean nothing", function()
		run_until(1, up)
		world:frame(2, "\255\255\255")
		world:say({ type = "never_heard_of" })
		world:say({ type = "pong", n = {} })
		world:say({ type = "ack", ids = 5 })
		world:say({ type = "error", code = {}, of = {} })
		run(1)
		assert.is_true(link:is_up())
		assert.equal(1, link:status().ignored)
	end)

	it("catches what a handler throws, and goes on with the next", function()
		run_until(1, up)
		local heard = 0
		link:on("notice", function() error("handler broke") end)
		link:on("notice", function() heard = heard + 1 end)
		world:say({ type = "notice", text = "a" })
		world:say({ type = "notice", text = "b" })
		run(STEP)
		assert.equal(2, heard)
		assert.equal(2, link:status().handler_errors)
		assert.matches("error: .*`notice`.*handler broke", log[#log])
	end)

	it("survives a hello that throws, and says so", function()
		link.hello = function() error("no world") end
		run(3)
		assert.is_false(link:is_up())
		assert.matches("no world", table.concat(log, "\n"))
	end)

	it("stops dispatching when the time of the step is spent, and goes on in order", function()
		run_until(1, up)
		local heard = {}
		link:on("notice", function(message)
			heard[#heard + 1] = message.n
			clock = clock + 0.0006
		end)
		for i = 1, 10 do
			world:say({ type = "notice", n = i })
		end
		link:step()
		assert.equal(2, #heard)
		for _ = 1, 6 do
			link:step()
		end
		assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, heard)
	end)

	it("reads at most its bytes per step", function()
		run_until(1, up)
		local heard = 0
		link:on("notice", function() heard = heard + 1 end)
		for _ = 1, 20 do
			world:say({ type = "notice", text = ("x"):rep(10000) })
		end
		run(STEP)
		assert.equal(6, heard)
		run(3 * STEP)
		assert.equal(20, heard)
	end)

	it("drops the oldest telemetry of a stalled reader, counts it, and loses no rating", function()
		run_until(1, up)
		world.takes = 0
		for i = 1, 1500 do
			link:send({ type = "event", n = i })
			if i % 100 == 0 then
				assert.is_true(link:keep(rating(i)))
			end
		end
		local status = link:status()
		assert.equal(15, status.kept)
		assert.is_true(status.queued <= 1000)
		assert.is_true(status.dropped >= 499)
		world.takes = 1e9
		run_until(8, up)
		run(3)
		assert.equal(15, #world:of_type("rating"))
		assert.equal(0, link:status().kept)
		local events = world:of_type("event")
		assert.equal(1500, #events + link:status().dropped)
		assert.equal(1500, events[#events].n)
		for i = 2, #events do
			assert.is_true(events[i].n > events[i - 1].n)
		end
	end)

	it("sends telemetry that waited while it was down only after the hello", function()
		world.mode = "refuse"
		run(1)
		assert.is_true(link:send({ type = "event", n = 1 }))
		world.mode = "listen"
		run_until(2, up)
		run(STEP)
		assert.equal("hello", world.messages[1].type)
		assert.equal("event", world.messages[2].type)
	end)

	it("sends kept messages again after a reset until they are acked, with the same ids, in order", function()
		world.acks = false
		run_until(1, up)
		for i = 1, 3 do
			link:keep(rating(i))
		end
		run(STEP)
		world:reset()
		run_until(2, down)
		run_until(2, up)
		world.acks = true
		run(STEP)
		local ids = {}
		for i, message in ipairs(world:of_type("rating")) do
			ids[i] = message.id
		end
		assert.same({ rating(1).id, rating(2).id, rating(3).id, rating(1).id, rating(2).id, rating(3).id }, ids)
		world:say({ type = "ack", ids = { rating(1).id, rating(2).id, rating(3).id } })
		run(STEP)
		assert.equal(0, link:status().kept)
		world:reset()
		run_until(2, down)
		run_until(2, up)
		run(1)
		assert.equal(6, #world:of_type("rating"))
	end)

	it("sends kept messages of before a restart of the server", function()
		world.mode = "refuse"
		link:keep(rating(1))
		link:keep(rating(2))
		link:stop()
		world.mode = "listen"
		new_link()
		assert.equal(2, link:status().kept)
		run_until(2, up)
		run(1)
		assert.equal(2, #world:of_type("rating"))
		assert.equal(0, link:status().kept)
	end)

	it("gives 10,000 kept messages to the runtime, thirty-two unacked at a time", function()
		world.mode = "refuse"
		for i = 1, 10000 do
			assert.is_true(link:keep(rating(i)))
		end
		local taken, reason = link:keep(rating(10001))
		assert.is_nil(taken)
		assert.equal("full", reason)
		world.mode, world.acks = "listen", false
		run_until(2, up)
		run(2)
		assert.equal(32, #world:of_type("rating"))
		world.acks = true
		for i = 1, 32 do
			world:say({ type = "ack", ids = { rating(i).id } })
		end
		run_until(120, function() return link:status().kept == 0 end)
		assert.equal(10000, #world:of_type("rating"))
	end)

	it("forgets a kept message that the runtime will never take, and only such a one", function()
		world.acks = false
		run_until(1, up)
		link:keep(rating(1))
		link:keep(rating(2))
		run(STEP)
		world:say({ type = "error", code = "invalid_field", message = "field `value`", of = rating(1).id })
		world:say({ type = "error", code = "internal", message = "the disk is full", of = rating(2).id })
		run(STEP)
		assert.equal(1, link:status().kept)
		world.acks = true
		run_until(32, function() return link:status().kept == 0 end)
		assert.equal(3, #world:of_type("rating"))
	end)

	it("refuses a message that is too long for the wire", function()
		run_until(1, up)
		local sent, reason = link:send({ type = "knowledge", text = ("x"):rep(300000) })
		assert.is_nil(sent)
		assert.matches("longer than", reason)
		assert.is_true(link:is_up())
	end)

	it("says goodbye when the server stops, and never comes back", function()
		run_until(1, up)
		link:stop()
		assert.equal(1001, world.closes[1][1])
		local connects = world.connects
		run(10)
		assert.equal(connects, world.connects)
		assert.is_nil((link:send({ type = "chat" })))
	end)

	it("comes back after the runtime said goodbye", function()
		run_until(1, up)
		world:frame(8, "\3\233stopping")
		run_until(1, down)
		assert.matches("1001: stopping", link:status().last_error)
		assert.equal(1001, world.closes[1][1])
		run_until(1, up)
	end)

	it("stays down and says why when the host has no address", function()
		new_link({ host = "nowhere" })
		run(10)
		assert.equal(0, world.connects)
		assert.matches("cannot resolve nowhere", link:status().last_error)
		assert.equal(1, #log)
	end)

	it("stays down and says why when there is no library", function()
		new_link({ socket = net.load("net/socket").unavailable("LuaSocket is missing") })
		assert.is_true(link:keep(rating(1)))
		run(10)
		assert.equal("LuaSocket is missing", link:status().last_error)
		assert.equal(1, link:status().kept)
	end)

	it("keeps the order and acts on nothing twice while the network does its worst", function()
		local random = net.random(9)
		local heard, said = {}, 0
		link:on("notice", function(message) heard[#heard + 1] = message.n end)
		for round = 1, 1500 do
			local dice, cut = random(2):byte(1, 2)
			world.slice, world.takes = cut % 50 + 1, dice % 60 + 1
			if link:is_up() then
				said = said + 1
				world:say({ type = "notice", n = said })
				link:send({ type = "chat", n = round })
			end
			if dice < 40 then
				link:keep(rating(round))
			end
			if dice >= 250 then
				world:reset()
			end
			run(STEP)
		end
		world.slice, world.takes = 1e9, 1e9
		run_until(10, function() return up() and link:status().kept == 0 end)
		for i = 2, #heard do
			assert.is_true(heard[i] > heard[i - 1])
		end
		local chats = world:of_type("chat")
		for i = 2, #chats do
			assert.is_true(chats[i].n > chats[i - 1].n)
		end
		assert.is_true(#heard > 1000 and #chats > 1000 and world.connects > 10)
	end)
end)

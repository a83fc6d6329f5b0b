local net = dofile("spec/support/net.lua")
local cases = net.vectors("messages").cases

-- dkjson marks tables; the marks are not part of the value.
local function plain(value)
	if type(value) ~= "table" then
		return value
	end
	local copy = {}
	for key, entry in pairs(value) do
		copy[key] = plain(entry)
	end
	return copy
end

for name, messagepack in pairs({ msgpack = net.messagepack(), json = false }) do
	local c = net.codec(messagepack or nil)

	describe("codec, " .. name, function()
		it("names its subprotocol and kind of frame", function()
			assert.equal("townsfolk.v1+" .. name, c.subprotocol)
			assert.equal(name == "msgpack", c.binary)
		end)

		it("gives every message back as it was", function()
			for _, case in ipairs(cases) do
				local message = plain(case.message)
				assert.same(message, plain(c:decode(assert(c:encode(message)))))
			end
		end)

		it("sends empty lists as lists and empty maps as maps", function()
			local bytes = c:encode({ type = "chat", snapshot = { near = {}, inventory = {} }, groups = {} })
			if name == "json" then
				assert.matches('"near":[]', bytes, 1, true)
				assert.matches('"inventory":[]', bytes, 1, true)
				assert.matches('"groups":{}', bytes, 1, true)
			else
				assert.matches("near\144", bytes, 1, true)
				assert.matches("inventory\144", bytes, 1, true)
				assert.matches("groups\128", bytes, 1, true)
			end
		end)

		it("sends whole numbers as integers", function()
			local bytes = c:encode({ type = "ping", n = 7 })
			assert.matches(name == "json" and '"n":7[,}]' or "n\7", bytes)
		end)

		it("keeps fractions exact", function()
			for _, x in ipairs({ 0.1, -1 / 3, 1e300, 2 ^ 53 + 2, 5e-300 }) do
				assert.equal(x, c:decode(c:encode({ type = "x", x = x })).x)
			end
		end)

		it("lets no NaN, infinity, bad text, function, deep nesting or mixed table out", function()
			local deep = {}
			local inner = deep
			for _ = 1, 8 do
				inner.a = {}
				inner = inner.a
			end
			local endless = {}
			endless.a = endless
			for problem, value in pairs({
				["not a finite number"] = 0 / 0, ["finite"] = math.huge, ["number"] = -math.huge, ["UTF%-8"] = "\237\160\128",
				["is a function"] = print, ["deeper"] = deep, ["nested"] = endless, ["neither"] = { 1, a = 2 },
				["holes"] = { [1] = 1, [3] = 3 }, ["a key of"] = { [true] = 1 }, ["key of"] = { ["\255"] = 1 },
			}) do
				local bytes, reason = c:encode({ type = "x", value = value })
				assert.is_nil(bytes)
				assert.matches(problem, reason)
			end
		end)

		it("names the field that is wrong", function()
			local _, reason = c:encode({ type = "chat", snapshot = { npc_pos = { x = 0 / 0 } } })
			assert.matches("`x`", reason, 1, true)
		end)

		it("refuses what is no message", function()
			for _, value in ipairs({ {}, { type = 5 }, { "a" }, "text", 5 }) do
				local bytes, reason = c:encode(value)
				assert.is_nil(bytes)
				assert.matches("type", reason)
			end
		end)

		it("survives 10,000 random byte strings", function()
			local random = net.random(6)
			for _ = 1, 10000 do
				local message, reason = c:decode(random(random(1):byte() % 64))
				assert.is_true(message ~= nil or type(reason) == "string")
			end
		end)

		it("survives 10,000 messages with a few bytes changed", function()
			local random = net.random(7)
			for i = 1, 10000 do
				local bytes = c:encode(plain(cases[i % #cases + 1].message))
				for _ = 1, 3 do
					local high, low, new = random(3):byte(1, 3)
					local at = (high * 256 + low) % #bytes + 1
					bytes = bytes:sub(1, at - 1) .. string.char(new) .. bytes:sub(at + 1)
				end
				local message, reason = c:decode(bytes)
				assert.is_true(message ~= nil or type(reason) == "string")
			end
		end)

		it("keeps a message as text in storage", function()
			for _, case in ipairs(cases) do
				local message = plain(case.message)
				assert.same(message, plain(c:from_json(assert(c:to_json(message)))))
			end
		end)
	end)
end

describe("codec, msgpack against other implementations", function()
	local c = net.codec(net.messagepack())

	for _, case in ipairs(cases) do
		it("reads " .. case.message.type .. " " .. case.msgpack:sub(1, 16), function()
			assert.same(plain(case.message), c:decode(net.unhex(case.msgpack)))
		end)
	end

	for _, case in ipairs(net.vectors("bad_messages").cases) do
		it("refuses " .. case.name, function()
			local bytes = net.unhex(case.msgpack)
			if case.times then
				bytes = bytes .. net.unhex(case["repeat"]):rep(case.times) .. "\192"
			end
			local message, reason = c:decode(bytes)
			assert.is_nil(message)
			assert.matches("^message not understood: ", reason)
		end)
	end

	it("leaves the copy of the library that other mods use alone", function()
		local shared = require("MessagePack")
		local before = shared.pack({ "\200" })
		assert(net.codec(net.messagepack()):encode({ type = "x" }))
		assert.equal(before, shared.pack({ "\200" }))
	end)
end)

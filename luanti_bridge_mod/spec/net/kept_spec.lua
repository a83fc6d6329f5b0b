local net = dofile("spec/support/net.lua")
local new_storage = dofile("spec/support/storage.lua")
local kept = net.load("net/kept")

describe("kept", function()
	local storage, codec, logged

	local function new(changes)
		local options = { storage = storage, codec = codec, max = 10, window = 3, log = function(level, text)
			logged[#logged + 1] = level .. ": " .. text
		end }
		for name, value in pairs(changes or {}) do
			options[name] = value
		end
		return kept.new(options)
	end

	local function rating(id)
		return { type = "rating", id = id, value = 5 }
	end

	-- The ids that go out until the window is full or all are sent.
	local function take_all(k)
		local ids = {}
		for payload in function() return k:take() end do
			ids[#ids + 1] = codec:decode(payload).id
		end
		return table.concat(ids, " ")
	end

	before_each(function()
		storage, codec, logged = new_storage(), net.codec(net.messagepack()), {}
	end)

	it("sends nothing before it is told that a connection is ready, then all in order", function()
		local k = new()
		for _, id in ipairs({ "a", "b", "c" }) do
			assert.is_true(k:add(rating(id)))
		end
		assert.equal("", take_all(k))
		k:start()
		assert.equal("a b c", take_all(k))
		assert.equal("", take_all(k))
	end)

	it("sends on each connection what is not acked", function()
		local k = new()
		for _, id in ipairs({ "a", "b", "c" }) do
			k:add(rating(id))
		end
		k:start()
		take_all(k)
		assert.is_true(k:ack("b"))
		k:stop()
		assert.equal("", take_all(k))
		k:start()
		assert.equal("a c", take_all(k))
	end)

	it("has at most a window of messages unacked", function()
		local k = new()
		k:start()
		for i = 1, 7 do
			k:add(rating("r" .. i))
		end
		assert.equal("r1 r2 r3", take_all(k))
		k:ack("r2")
		k:ack("r2")
		assert.equal("r4", take_all(k))
		k:ack("r1")
		k:ack("r3")
		k:ack("r4")
		assert.equal("r5 r6 r7", take_all(k))
	end)

	it("takes an id once", function()
		local k = new()
		assert.is_true(k:add(rating("a")))
		assert.is_true(k:add(rating("a")))
		assert.equal(1, k.count)
	end)

	it("refuses the next one when it is full, and drops none", function()
		local k = new()
		for i = 1, 10 do
			k:add(rating("r" .. i))
		end
		local taken, reason = k:add(rating("r11"))
		assert.is_nil(taken)
		assert.equal("full", reason)
		k:ack("r5")
		assert.is_true(k:add(rating("r11")))
		assert.equal(10, k.count)
	end)

	it("has only the last verdict of a player on a reply, and the last choice of a player, to send", function()
		local k = new()
		k:start()
		k:add({ type = "consent", id = "c1", player = "alice", choice = "allow" })
		k:add({ type = "rating", id = "r1", player = "alice", reply = "x", value = 5 })
		k:add({ type = "demonstration", id = "d1", player = "alice", reply = "x", text = "Good day." })
		assert.equal("c1 r1 d1", take_all(k))
		k:stop()
		k:add({ type = "consent", id = "c2", player = "bob", choice = "allow" })
		k:add({ type = "consent", id = "c3", player = "alice", choice = "withdraw" })
		k:add({ type = "rating", id = "r2", player = "bob", reply = "x", value = 4 })
		k:add({ type = "rating", id = "r3", player = "alice", reply = "y", value = 3 })
		k:add({ type = "rating", id = "r4", player = "alice", reply = "x", value = 1 })
		k:add({ type = "demonstration", id = "d2", player = "alice", reply = "x", text = "Hello." })
		for _ = 1, 2 do
			assert.equal(6, k.count)
			assert.is_false(k:has("c1"))
			assert.is_false(k:ack("c1"))
			k = new({ window = 10 })
			k:start()
			assert.equal("c2 c3 r2 r3 r4 d2", take_all(k))
		end
	end)

	it("takes a changed mind also when it is full", function()
		local k = new({ max = 1 })
		k:add({ type = "consent", id = "c1", player = "alice", choice = "allow" })
		assert.is_nil((k:add({ type = "consent", id = "c2", player = "bob", choice = "withdraw" })))
		assert.is_true(k:add({ type = "consent", id = "c3", player = "alice", choice = "withdraw" }))
		k:start()
		assert.equal("c3", take_all(k))
	end)

	it("sends what replaces a message under way within the window", function()
		local k = new()
		k:start()
		for i = 1, 9 do
			k:add({ type = "consent", id = "c" .. i, player = "player" .. i % 4, choice = "allow" })
		end
		assert.equal("c6 c7 c8", take_all(k))
		k:add({ type = "consent", id = "c10", player = "player2", choice = "withdraw" })
		assert.equal("c9", take_all(k))
		k:ack("c6")
		assert.equal("", take_all(k))
		k:ack("c7")
		assert.equal("c10", take_all(k))
	end)

	it("lets nothing take an erasure's place but another one, and sends the next choice after its ack", function()
		local k = new()
		k:start()
		k:add({ type = "consent", id = "c1", player = "alice", choice = "withdraw" })
		k:add({ type = "consent", id = "c2", player = "alice", choice = "erase" })
		k:add({ type = "consent", id = "c3", player = "alice", choice = "withdraw" })
		k:add({ type = "consent", id = "c4", player = "alice", choice = "allow" })
		k:add(rating("r5"))
		assert.equal("c2 r5", take_all(k))
		k = new()
		k:start()
		assert.equal("c2 r5", take_all(k))
		k:ack("c2")
		assert.equal("c4", take_all(k))
		assert.equal("", take_all(k))
		k:add({ type = "consent", id = "c6", player = "alice", choice = "erase" })
		k:add({ type = "consent", id = "c7", player = "alice", choice = "erase" })
		assert.equal(2, k.count)
		assert.equal("c7", take_all(k))
		k:ack("r5")
		k:ack("c7")
		assert.same({ ["kept.first"] = "8", ["kept.last"] = "7" }, storage.values)
	end)

	it("forgets with an erasure what its player corrected before it, and nothing of others or of later", function()
		local function correction(id, player)
			return { type = "demonstration", id = id, player = player, reply = "reply " .. id, text = "my secret" }
		end
		local k = new()
		k:add(correction("d1", "alice"))
		k:add(correction("d2", "bob"))
		k:add({ type = "consent", id = "c3", player = "alice", choice = "erase" })
		k:add(correction("d4", "alice"))
		k:start()
		assert.equal("d2 c3 d4", take_all(k))
		k = new()
		k:start()
		assert.equal("d2 c3 d4", take_all(k))
	end)

	it("has one of two messages that replace each other when the server dies before the older is gone", function()
		local k = new()
		k:add({ type = "consent", id = "c1", player = "alice", choice = "allow" })
		local older = storage.values["kept.1"]
		k:add(rating("r2"))
		k:add({ type = "consent", id = "c3", player = "alice", choice = "withdraw" })
		storage.values["kept.1"], storage.values["kept.first"] = older, "1"
		k = new()
		k:start()
		assert.equal("r2 c3", take_all(k))
		k:ack("r2")
		k:ack("c3")
		assert.same({ ["kept.first"] = "4", ["kept.last"] = "3" }, storage.values)
	end)

	it("refuses a message without an id, and one that cannot be sent", function()
		local k = new()
		assert.is_nil((k:add({ type = "rating" })))
		local taken, reason = k:add({ type = "rating", id = "x", value = 0 / 0 })
		assert.is_nil(taken)
		assert.matches("value", reason)
		assert.equal(0, k.count)
	end)

	it("is there after a restart, in order, also when the wire's codec is another", function()
		local k = new()
		for _, id in ipairs({ "a", "b", "c", "d" }) do
			k:add(rating(id))
		end
		k:ack("a")
		k:ack("c")
		codec = net.codec(nil)
		k = new()
		assert.equal(2, k.count)
		k:start()
		assert.equal("b d", take_all(k))
		k:ack("b")
		k:ack("d")
		assert.equal(0, new().count)
	end)

	it("leaves nothing in the storage but its two counters", function()
		local k = new()
		for i = 1, 10 do
			k:add(rating("r" .. i))
		end
		for i = 10, 1, -1 do
			k:ack("r" .. i)
		end
		assert.same({ ["kept.first"] = "11", ["kept.last"] = "10" }, storage.values)
	end)

	it("reads past an entry that is broken, says so, and leaves it in place", function()
		local k = new()
		k:add(rating("a"))
		k:add(rating("b"))
		storage.values["kept.1"] = "{broken"
		k = new()
		k:start()
		assert.equal("b", take_all(k))
		assert.matches("error: .*kept%.1", logged[1])
		k:ack("b")
		assert.equal("{broken", storage.values["kept.1"])
	end)

	it("loses nothing when the server dies between two writes of the storage", function()
		for deaths = 0, 3 do
			storage = new_storage()
			local set, left = storage.set, deaths
			storage.set = function(key, text)
				if left > 0 then
					left = left - 1
					set(key, text)
				end
			end
			local k = new()
			k:add(rating("a"))
			k:ack("a")
			storage.set = set
			k = new()
			assert.is_true(k:add(rating("b")))
			k = new()
			k:start()
			assert.matches("b$", take_all(k))
		end
	end)
end)

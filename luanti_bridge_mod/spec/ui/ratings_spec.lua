-- A player's verdicts on the last reply: what is kept for the runtime, who is told, and how many are taken.

local part = dofile("spec/support/part.lua")

describe("ratings", function()
	local mod, ratings, kept, told, logged, reply, room

	before_each(function()
		kept, told, logged, room = {}, {}, {}, 100
		reply = { id = "01JD0000000000000000000001", npc = "Mira", npc_id = "01JD0000000000000000000002", text = "Good day!" }
		local names = { "alice", "anna" }
		local players = {}
		for index, name in ipairs(names) do
			players[index] = { get_player_name = function() return name end }
		end
		_G.core = {
			get_connected_players = function() return players end,
			check_player_privs = function(name) return name == "anna" end,
			chat_send_player = function(name, line) told[#told + 1] = name .. ": " .. line end,
		}
		mod = {
			S = function(text, ...)
				local values = { ... }
				return (text:gsub("@(%d)", function(n) return tostring(values[tonumber(n)]) end))
			end,
			text = part("game/text"),
			talks = { last_reply = function(name) return name == "alice" and reply or nil end },
			log = function(level, text) logged[#logged + 1] = level .. ": " .. text end,
			link = { keep = function(_, message)
				if #kept >= room then
					return nil, "full"
				end
				kept[#kept + 1] = message
				return true
			end },
			new_id = function() return ("01JE%022d"):format(#kept + 1) end,
		}
		mod.keeping = part("ui/keeping", mod)
		ratings = part("ui/ratings", mod)
	end)

	after_each(function()
		_G.core = nil
	end)

	it("keeps a rating, thanks the player and tells the admins", function()
		local ok, message = ratings.rate("alice", 4, "stars")
		assert.is_true(ok)
		assert.equal("Thank you. Mira's last reply: 4 of 5.", message)
		assert.same({ {
			type = "rating", id = "01JE0000000000000000000001", reply = reply.id,
			player = "alice", value = 4, scale = "stars",
		} }, kept)
		assert.same({ "anna: [Townsfolk] alice rated Mira's reply: 4 of 5. “Good day!”" }, told)
	end)

	it("takes the same verdict again for the one that it has", function()
		for _ = 1, 1000 do
			local ok, message = ratings.rate("alice", 5, "thumb")
			assert.is_true(ok)
			assert.matches("^Thank you", message)
		end
		for _ = 1, 1000 do
			assert.is_true((ratings.better("alice", " Come in! ")))
		end
		assert.equal(2, #kept)
		assert.equal(1, #told)
		assert.equal(2, #logged)
	end)

	it("keeps a change of mind, but not for ever", function()
		for step = 1, 1000 do
			ratings.rate("alice", step % 2 == 0 and 5 or 1, "thumb", reply.npc_id)
			ratings.better("alice", "wording " .. step)
		end
		local ok, message = ratings.rate("alice", 3, "stars")
		assert.is_false(ok)
		assert.matches("often enough", message)
		assert.equal(10, #kept)
		assert.equal(10, #logged)
		reply = { id = "01JD0000000000000000000003", npc = "Mira", npc_id = reply.npc_id, text = "Another." }
		assert.is_true((ratings.rate("alice", 5, "thumb")))
		assert.equal(reply.id, kept[11].reply)
	end)

	it("has nothing to rate for who was not answered, or by somebody else", function()
		assert.is_false((ratings.rate("bob", 5, "thumb")))
		assert.is_false((ratings.better("bob", "Come in!")))
		assert.is_false((ratings.rate("alice", 5, "thumb", "another NPC")))
		assert.same({}, kept)
	end)

	it("says so when a verdict could not be kept, and takes it when there is room", function()
		room = 0
		local ok, message = ratings.rate("alice", 5, "thumb")
		assert.is_false(ok)
		assert.matches("could not be kept", message)
		assert.same({}, told)
		room = 1
		assert.is_true((ratings.rate("alice", 5, "thumb")))
		assert.equal(1, #kept)
	end)

	it("asks for the words of a better reply", function()
		local ok, message = ratings.better("alice", " \27(c@red) ")
		assert.is_false(ok)
		assert.matches("/npc better TEXT", message)
	end)
end)

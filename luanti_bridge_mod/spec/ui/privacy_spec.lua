-- A player's choice about training: what they read, what is kept for the runtime, and that nobody is nagged.

local part = dofile("spec/support/part.lua")
local new_storage = dofile("spec/support/storage.lua")

describe("privacy", function()
	local mod, privacy, kept, told, logged, storage, room

	local function load()
		mod = {
			S = function(text, ...)
				local values = { ... }
				return (text:gsub("@(%d)", function(n) return tostring(values[tonumber(n)]) end))
			end,
			storage = {
				get_string = function(_, key) return storage.get(key) or "" end,
				set_string = function(_, key, text) storage.set(key, text) end,
			},
			link = { keep = function(_, message)
				if room == 0 then
					return nil, "full"
				end
				kept[#kept + 1] = message
				return true
			end },
			new_id = function() return ("01JD%022d"):format(#kept + 1) end,
			log = function(level, text) logged[#logged + 1] = level .. ": " .. text end,
			tell = function(name, line) told[#told + 1] = name .. ": " .. line end,
			talks = { drop_player = function(name) told[#told + 1] = name .. " is dropped" end },
			events = { drop_player = function(name) told[#told + 1] = "what " .. name .. " did is dropped" end },
		}
		mod.keeping = part("ui/keeping", mod)
		privacy = part("ui/privacy", mod)
	end

	before_each(function()
		kept, told, logged, storage, room = {}, {}, {}, new_storage(), 10
		load()
	end)

	it("asks once, at the first reply, and never again", function()
		privacy.on_welcome({ consent = "ask" })
		privacy.ask_once("alice")
		privacy.ask_once("alice")
		load()
		privacy.ask_once("alice")
		assert.equal(1, #told)
		assert.matches("^alice: May your talk with NPCs be used", told[1])
		privacy.ask_once("bob")
		assert.equal(2, #told)
	end)

	it("does not ask who has decided, nor where the server's own notice does", function()
		privacy.choose("alice", "withdraw")
		privacy.ask_once("alice")
		privacy.on_welcome({ consent = "opt-out" })
		privacy.ask_once("bob")
		assert.same({}, told)
	end)

	it("takes a runtime that says nothing for one that asks", function()
		privacy.on_welcome({ consent = "opt-out" })
		assert.equal("opt-out", privacy.default())
		privacy.on_welcome({})
		assert.equal("ask", privacy.default())
	end)

	for choice, answer in pairs({ allow = "^Thank you", withdraw = "kept out", erase = "being removed" }) do
		it("keeps the choice for the runtime and remembers it: " .. choice, function()
			local ok, message = privacy.choose("alice", choice)
			assert.is_true(ok)
			assert.matches(answer, message)
			assert.same({ { type = "consent", id = "01JD0000000000000000000001", player = "alice", choice = choice } }, kept)
			load()
			assert.equal(choice, privacy.choice("alice"))
			assert.is_nil(privacy.choice("bob"))
		end)
	end

	it("lets the game forget the talk with who had it erased", function()
		privacy.choose("alice", "allow")
		assert.same({}, told)
		privacy.choose("alice", "erase")
		assert.same({ "alice is dropped", "what alice did is dropped" }, told)
	end)

	it("says so when a choice could not be kept, and remembers nothing", function()
		room = 0
		local ok, message = privacy.choose("alice", "erase")
		assert.is_false(ok)
		assert.matches("could not be kept", message)
		assert.is_nil(privacy.choice("alice"))
		assert.matches("^error: a consent could not be kept: full", logged[1])
		assert.same({}, told)
	end)

	it("refuses what is no choice", function()
		for _, word in ipairs({ "", "yes", "Allow", "erase everything" }) do
			local ok, message = privacy.choose("alice", word)
			assert.is_false(ok)
			assert.matches("^Use: /npc privacy", message)
		end
		assert.same({}, kept)
	end)

	it("shows what is stored and the player's own state", function()
		local states = {
			allow = "You allowed", withdraw = "You did not allow", erase = "You had your talk erased",
		}
		assert.matches("made%-up name", privacy.text("alice"))
		assert.matches("Until you do, nothing", privacy.text("alice"))
		privacy.on_welcome({ consent = "opt-out" })
		assert.matches("everybody who does not withdraw", privacy.text("alice"))
		for choice, words in pairs(states) do
			privacy.choose("alice", choice)
			assert.matches(words, privacy.text("alice"))
		end
	end)
end)

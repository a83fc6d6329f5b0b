-- What players do in the world, on its way to the runtime.

local part = dofile("spec/support/part.lua")

describe("events", function()
	local events, sent, answer, logged, clock

	before_each(function()
		sent, answer, logged, clock = {}, {}, {}, 100
		local mod = {
			now = function() return clock end,
			stats = { count = function() end },
			text = part("game/text"),
			log = function(_, text) logged[#logged + 1] = text end,
			link = {
				is_up = function() return true end,
				send = function(_, message)
					if answer[1] then
						return nil, table.remove(answer, 1)
					end
					sent[#sent + 1] = message
					return true
				end,
			},
		}
		mod.bearings = part("game/bearings", mod)
		events = part("game/events", mod)
	end)

	local function wait()
		for _ = 1, 20 do
			clock = clock + 0.1
			events.step(clock)
		end
	end

	it("cuts a long name between its characters", function()
		events.add("punch", "alice", ("面"):rep(120), { x = 0, y = 0, z = 0 })
		wait()
		assert.equal(("面"):rep(100), sent[1].events[1].what)
	end)

	it("waits with what finds no room, and loses nothing", function()
		answer = { "full", "full" }
		events.add("dig", "alice", "default:stone", { x = 0, y = 0, z = 0 })
		wait()
		assert.equal(1, #sent)
		assert.equal(0, sent[1].dropped)
	end)

	it("tells nothing of who was erased, of others all", function()
		events.add("place", "alice", "default:chest", { x = 0, y = 0, z = 0 })
		events.add("dig", "bob", "default:stone", { x = 0, y = 0, z = 0 })
		events.drop_player("alice")
		wait()
		assert.equal(1, #sent)
		assert.equal("bob", sent[1].events[1].player)
		events.add("dig", "bob", "default:dirt", { x = 0, y = 0, z = 0 })
		events.drop_player("bob")
		wait()
		assert.equal(1, #sent)
	end)

	it("drops and counts what can never be sent, so that the rest goes on", function()
		answer = { "it cannot be encoded" }
		events.add("dig", "alice", "default:stone", { x = 0, y = 0, z = 0 })
		wait()
		assert.same({}, sent)
		events.add("dig", "alice", "default:dirt", { x = 0, y = 0, z = 0 })
		wait()
		assert.equal("default:dirt", sent[1].events[1].what)
		assert.equal(1, sent[1].dropped)
		assert.equal(1, #logged)
	end)
end)

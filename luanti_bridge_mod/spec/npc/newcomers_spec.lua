-- Who may be made an NPC, whoever asks for it.

local part = dofile("spec/support/part.lua")

describe("newcomers", function()
	local mod, newcomers, known, names
	local HERE = { x = 0, y = 8, z = 0 }

	before_each(function()
		known, names = { mira = true }, {}
		mod = {
			bearings = part("game/bearings"),
			text = part("game/text"),
			settings = { max_npcs = 3 },
			cards = {
				ids = function()
					local ids = {}
					for id in pairs(known) do
						ids[#ids + 1] = id
					end
					return ids
				end,
				get = function(persona) return known[persona] end,
			},
			records = {
				list = function() return names end,
				by_name = function(name)
					for _, taken in ipairs(names) do
						if taken == name then
							return taken
						end
					end
				end,
			},
		}
		newcomers = part("npc/newcomers", mod)
	end)

	it("lets one in under the name that it will have", function()
		assert.equal("Mira", newcomers.check("mira", "Mira", HERE))
		assert.equal("Old Mira", newcomers.check("mira", " \27(c@red)Old  Mira\226\128\174 ", HERE))
	end)

	it("knows the personas that the runtime told of, and no other", function()
		for _, persona in ipairs({ "brom", "Mira", "", "../mira", ("m"):rep(41) }) do
			assert.same({ nil, "persona" }, { newcomers.check(persona, "Mira", HERE) })
		end
		assert.same({ nil, "persona" }, { newcomers.check(nil, "Mira", HERE) })
		assert.same({ nil, "persona" }, { newcomers.check({}, "Mira", HERE) })
	end)

	it("takes a persona on trust until the runtime has told of any", function()
		known = {}
		assert.equal("Brom", newcomers.check("brom", "Brom", HERE))
		assert.same({ nil, "persona" }, { newcomers.check("not one", "Brom", HERE) })
	end)

	it("wants a name that people can read and type", function()
		for _, name in ipairs({ "", " ", "a]b", "<Mira>", ("m"):rep(41), "\27(c@red)" }) do
			assert.same({ nil, "name" }, { newcomers.check("mira", name, HERE) })
		end
		assert.same({ nil, "name" }, { newcomers.check("mira", nil, HERE) })
		assert.same({ nil, "name" }, { newcomers.check("mira", 7, HERE) })
	end)

	it("wants a place in the world", function()
		for _, pos in ipairs({ {}, { x = 0 / 0, y = 0, z = 0 }, { x = 1e300, y = 0, z = 0 }, "here" }) do
			assert.same({ nil, "position" }, { newcomers.check("mira", "Mira", pos) })
		end
		assert.same({ nil, "position" }, { newcomers.check("mira", "Mira", nil) })
	end)

	it("gives a name once, and has so many at most", function()
		names = { "Mira", "Brom" }
		assert.same({ nil, "taken" }, { newcomers.check("mira", "Mira", HERE) })
		assert.equal("Ida", newcomers.check("mira", "Ida", HERE))
		names = { "Mira", "Brom", "Ida" }
		assert.same({ nil, "full" }, { newcomers.check("mira", "Ulf", HERE) })
	end)
end)

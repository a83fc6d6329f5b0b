local part = dofile("spec/support/part.lua")
local address = part("game/address", { bearings = part("game/bearings"), text = part("game/text") })

local LIMITS = { near = 5, named = 32 }
local NORTH = { x = 0, y = 0, z = 1 }

local function npc(name, x, z)
	return { name = name, pos = { x = x, y = 0, z = z } }
end

local function player(look)
	return { pos = { x = 0, y = 0, z = 0 }, look = look or NORTH }
end

local function choose(line, npcs, look)
	local meant, how = address.choose(line, player(look), npcs, LIMITS)
	return meant and meant.name, how
end

describe("address.choose", function()
	it("takes the NPC that the line names, wherever the player looks", function()
		local name, how = choose("where is the river, mira?", { npc("Brom", 0, 2), npc("Mira", 0, -20) })
		assert.same({ "Mira", "named" }, { name, how })
	end)

	it("takes the one that is named first, and of one name the nearest", function()
		assert.equal("Brom", (choose("Brom, is Mira in?", { npc("Mira", 0, 2), npc("Brom", 0, 9) })))
		local far, near = npc("Mira", 0, 9), npc("Mira", 0, 3)
		assert.equal(near, (address.choose("Mira?", player(), { far, near }, LIMITS)))
	end)

	it("does not call over the whole world", function()
		assert.is_nil((choose("Mira?", { npc("Mira", 0, 33) })))
	end)

	it("takes the one who is near and faced", function()
		local name, how = choose("hello", { npc("Mira", 0, 4) })
		assert.same({ "Mira", "near" }, { name, how })
		assert.is_nil((choose("hello", { npc("Mira", 0, -4) })))
		assert.is_nil((choose("hello", { npc("Mira", 4, 0) })))
		assert.is_nil((choose("hello", { npc("Mira", 0, 6) })))
	end)

	it("takes the nearest of those who are faced", function()
		assert.equal("Brom", (choose("hello", { npc("Mira", 0, 4), npc("Brom", 1, 3), npc("Ida", 0, -1) })))
	end)

	it("counts looking down at somebody as facing them", function()
		assert.equal("Mira", (choose("hello", { npc("Mira", 0, 2) }, { x = 0, y = -0.9, z = 0.4 })))
	end)

	it("counts somebody at the same spot as faced", function()
		assert.equal("Mira", (choose("hello", { npc("Mira", 0, -0.2) })))
	end)

	it("means nobody when nobody is there", function()
		assert.is_nil((choose("hello Mira", {})))
	end)
end)

describe("address.nearest", function()
	it("finds the nearest within reach", function()
		local origin = { x = 0, y = 0, z = 0 }
		local far, near = npc("a", 0, 8), npc("b", 3, 0)
		assert.equal(near, address.nearest(origin, { far, near }, 10))
		assert.is_nil(address.nearest(origin, { far, near }, 2))
	end)
end)

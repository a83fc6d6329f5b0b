local part = dofile("spec/support/part.lua")
local bearings = part("game/bearings")

local function at(x, y, z)
	return { x = x, y = y, z = z }
end

describe("bearings", function()
	local origin = at(0, 0, 0)

	it("names the eight winds: north is +z, east is +x", function()
		local winds = {
			["north"] = { 0, 10 }, ["north-east"] = { 10, 10 }, ["east"] = { 10, 0 }, ["south-east"] = { 10, -10 },
			["south"] = { 0, -10 }, ["south-west"] = { -10, -10 }, ["west"] = { -10, 0 }, ["north-west"] = { -10, 10 },
		}
		for wind, to in pairs(winds) do
			assert.equal(wind, bearings.direction(origin, at(to[1], 0, to[2])))
		end
	end)

	it("changes the wind half-way between two", function()
		assert.equal("north", bearings.direction(origin, at(2.2, 0, 5.5)))
		assert.equal("north-east", bearings.direction(origin, at(2.4, 0, 5.5)))
		assert.equal("north", bearings.direction(origin, at(-2.2, 0, 5.5)))
	end)

	it("says here, above and below", function()
		assert.equal("here", bearings.direction(origin, at(1, 0, 1)))
		assert.equal("above", bearings.direction(origin, at(0, 5, 1)))
		assert.equal("below", bearings.direction(origin, at(1, -5, 0)))
	end)

	it("adds the height when it is more than a third of the way", function()
		assert.equal("", bearings.vertical(origin, at(9, 2.5, 0)))
		assert.equal("above", bearings.vertical(origin, at(9, 4, 0)))
		assert.equal("below", bearings.vertical(origin, at(3, -3, 0)))
		assert.equal("", bearings.vertical(origin, at(1, 1, 0)))
	end)

	it("turns towards somebody as the engine counts yaw", function()
		assert.near(0, bearings.yaw(origin, at(0, 0, 5)), 1e-9)
		assert.near(-math.pi / 2, bearings.yaw(origin, at(5, 0, 0)), 1e-9)
		assert.near(math.pi / 2, bearings.yaw(origin, at(-5, 0, 0)), 1e-9)
	end)

	it("knows numbers that are no coordinates", function()
		for _, bad in ipairs({ 0 / 0, 1 / 0, -1 / 0, 1e300, 40001, "1", false }) do
			assert.is_false(bearings.is_coordinate(bad))
			assert.is_false(bearings.is_position(at(0, bad, 0)))
		end
		assert.is_true(bearings.is_position(at(-31000, 0.5, 31000)))
		assert.is_false(bearings.is_position({ x = 1, y = 2 }))
		assert.is_false(bearings.is_position(nil))
	end)
end)

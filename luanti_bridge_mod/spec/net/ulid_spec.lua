local net = dofile("spec/support/net.lua")

describe("ulid", function()
	local ulid, random

	before_each(function()
		ulid, random = net.load("net/ulid"), net.random(1)
	end)

	it("has the form that the protocol asks for", function()
		local digit = "[0-9A-HJKMNP-TV-Z]"
		for ms = 0, 2 ^ 47, 2 ^ 41 do
			assert.matches("^[0-7]" .. digit:rep(25) .. "$", ulid.new(ms, random))
		end
	end)

	it("carries the time as the ULID specification has it", function()
		assert.equal("01ARYZ6S41", ulid.new(1469918176385, random):sub(1, 10))
	end)

	it("grows within a millisecond, and when the clock steps back an hour", function()
		local last = ulid.new(1700000000000, random)
		for i = 1, 2000 do
			local id = ulid.new(1700000000000 - (i % 2) * 3600000, random)
			assert.is_true(id > last)
			last = id
		end
	end)

	it("grows on when the random part is used up", function()
		local function all_ones(n)
			return ("\255"):rep(n)
		end
		local first = ulid.new(1700000000000, all_ones)
		assert.equal("ZZZZZZZZZZZZZZZZ", first:sub(11))
		local second = ulid.new(1700000000000, all_ones)
		assert.is_true(second > first)
		assert.is_true(ulid.new(1700000000001, all_ones) > second)
	end)
end)

local net = dofile("spec/support/net.lua")
local backoff = net.load("net/backoff")

describe("backoff", function()
	local function bytes(value)
		return function(n)
			return string.char(value):rep(n)
		end
	end

	local function range(why, failures)
		return backoff.seconds(why, failures, bytes(0)), backoff.seconds(why, failures, bytes(255))
	end

	it("doubles from a quarter of a second, and up to half of it is left to chance", function()
		for failures, most in ipairs({ 0.25, 0.5, 1, 2, 4 }) do
			local low, high = range("timeout", failures)
			assert.equal(most, high)
			assert.equal(most / 2, low)
		end
	end)

	it("never waits longer than 5 s, and 1.5 s where asking again costs nothing", function()
		for _, failures in ipairs({ 6, 30, 1000000 }) do
			assert.same({ 2.5, 5 }, { range("timeout", failures) })
			assert.same({ 2.5, 5 }, { range("token", failures) })
			for _, why in ipairs({ "refused", "lost", "closed", "busy" }) do
				assert.same({ 0.75, 1.5 }, { range(why, failures) })
			end
		end
	end)
end)

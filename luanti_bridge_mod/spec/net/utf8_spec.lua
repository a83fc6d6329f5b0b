local net = dofile("spec/support/net.lua")
local utf8 = net.load("net/utf8")

describe("utf8", function()
	for _, case in ipairs(net.vectors("utf8").cases) do
		it("judges " .. case.name, function()
			assert.equal(case.valid, utf8.valid(net.unhex(case.hex)))
			assert.equal(case.valid, utf8.valid("before " .. net.unhex(case.hex) .. " behind"))
		end)
	end
end)

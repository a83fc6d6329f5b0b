local part = dofile("spec/support/part.lua")
local pace = part("npc/pace")

describe("pace", function()
	it("lets through so many in a window, and more when the first are old", function()
		local limit = pace.new(2, 10)
		assert.is_true(limit:take("alice", 0))
		assert.is_true(limit:take("alice", 6))
		assert.is_false((limit:take("alice", 9)))
		assert.is_true(limit:take("alice", 10.1))
		assert.is_false((limit:take("alice", 11)))
	end)

	it("tells of one refusal in a window, however many there are", function()
		local limit = pace.new(1, 10)
		limit:take("alice", 0)
		local told = 0
		for step = 1, 2000 do
			local _, is_first = limit:take("alice", step / 100)
			told = told + (is_first and 1 or 0)
		end
		assert.equal(2, told)
	end)

	it("does not let one player's haste be another's", function()
		local limit = pace.new(1, 10)
		limit:take("alice", 0)
		assert.is_false((limit:take("alice", 1)))
		assert.is_true(limit:take("bob", 1))
	end)

	it("forgets who left", function()
		local limit = pace.new(1, 10)
		limit:take("alice", 0)
		limit:drop("alice")
		assert.is_true(limit:take("alice", 1))
	end)
end)

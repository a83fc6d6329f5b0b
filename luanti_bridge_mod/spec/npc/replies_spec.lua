local part = dofile("spec/support/part.lua")
local replies = part("npc/replies", { text = part("game/text") })

local function piece(n, words, ends)
	return { n = n, text = words, sentence = ends or false }
end

describe("a reply", function()
	local reply
	before_each(function()
		reply = replies.new()
	end)

	it("gives out each sentence when it ends", function()
		assert.same({}, (reply:take(piece(0, "Good"))))
		assert.equal("Good", reply:whole())
		assert.same({ "Good day." }, (reply:take(piece(1, " day.", true))))
		assert.same({ "How are you?" }, (reply:take(piece(2, " How are you?", true))))
		assert.is_nil(reply:finish("Good day. How are you?"))
		assert.equal("Good day. How are you?", reply:whole())
	end)

	it("puts pieces in order and counts each once", function()
		for _, n in ipairs({ 2, 0, 0, 2 }) do
			reply:take(piece(n, ({ [0] = "One", [2] = " three." })[n], n == 2))
		end
		local sentences, moved = reply:take(piece(1, " two"))
		assert.same({ "One two three." }, sentences)
		assert.is_true(moved)
		assert.is_false((select(2, reply:take(piece(1, " again")))))
	end)

	it("fills what never came from the whole", function()
		reply:take(piece(0, "One.", true))
		reply:take(piece(2, " Three.", true))
		assert.equal("Two. Three.", reply:finish("One. Two. Three."))
		assert.equal("One. Two. Three.", reply:whole())
	end)

	it("says the whole when no piece came", function()
		assert.equal("Later, friend.", reply:finish("Later, friend."))
	end)

	it("says nothing when there are no words", function()
		assert.is_nil(reply:finish(""))
		assert.is_false(reply:has_spoken())
	end)

	it("says the open sentence when told to", function()
		reply:take(piece(0, "I was just"))
		assert.equal("I was just", reply:flush())
		assert.is_nil(reply:flush())
	end)

	it("drops what does not belong on a screen", function()
		local sentences = reply:take(piece(0, "\27(c@red)Red\226\128\174\nand\0 plain.", true))
		assert.same({ "Red and plain." }, sentences)
	end)

	it("is bounded, however much comes", function()
		for n = 0, 100 do
			reply:take(piece(n, ("a"):rep(100000)))
		end
		assert.is_true(#reply:whole() <= 3000)
		for n = 1000, 2000 do
			reply:take(piece(n, "b"))
		end
		assert.is_true(reply.waiting_count <= 64)
	end)

	it("ignores pieces without a number", function()
		assert.is_false((select(2, reply:take({ text = "a", sentence = true }))))
	end)
end)

local part = dofile("spec/support/part.lua")
local text = part("game/text")

describe("text.clean", function()
	local cases = {
		{ "letters of any script", "Grüße, 世界 😀", "Grüße, 世界 😀" },
		{ "engine colours", "\27(c@#ff0000)red\27(b@blue) hat", "red hat" },
		{ "translated strings", "\27(T@default)Torch\27E", "Torch" },
		{ "an escape with a bracket inside", "\27(c@\\))x", "x" },
		{ "an escape without an end", "a\27(c@red", "a" },
		{ "terminal colours", "\27[31;1mred\27[0m", "red" },
		{ "a lone escape", "a\27", "a" },
		{ "NUL and other controls", "a\0b\1c\127d", "abcd" },
		{ "C1 controls", "a\194\155b", "ab" },
		{ "line breaks and tabs", "a\r\nb\tc", "a  b c" },
		{ "bidirectional controls", "a\226\128\174b\226\129\166c", "abc" },
		{ "zero width", "Mi\226\128\139ra\239\187\191", "Mira" },
		{ "lone surrogates", "a\237\160\128b", "ab" },
		{ "overlong forms", "a\192\175b\224\128\175c", "abc" },
		{ "bytes that are not UTF-8", "a\255\254b\128c", "abc" },
		{ "a character cut in half", "a\226\130", "a" },
		{ "tag characters", "a\243\160\129\129b", "ab" },
		{ "beyond Unicode", "a\244\144\128\128b", "ab" },
	}
	for _, case in ipairs(cases) do
		it("deals with " .. case[1], function()
			assert.equal(case[3], text.clean(case[2], 500))
		end)
	end

	it("cuts at characters, not bytes", function()
		assert.equal(("é"):rep(500), text.clean(("é"):rep(100000), 500))
	end)

	it("does not look at more of a huge text than could be kept", function()
		local huge = ("\1"):rep(640 * 1024) .. "end"
		assert.equal("", text.clean(huge, 500))
	end)

	it("finds nothing more to do the second time", function()
		for _, case in ipairs(cases) do
			assert.equal(case[3], text.clean(text.clean(case[2], 500), 500))
		end
	end)

	it("answers what is no text with an empty one", function()
		assert.equal("", text.clean(nil, 10))
		assert.equal("", text.clean({}, 10))
	end)

	it("keeps spaces at the ends, for pieces of a stream", function()
		assert.equal(" a ", text.clean(" a ", 10))
	end)
end)

describe("text.line", function()
	it("leaves one space between words and none at the ends", function()
		assert.equal("a b", text.line(" \n a \t\27(c@red)  b ", 500))
	end)
end)

describe("text.is_player_name", function()
	it("knows what the engine lets players be called", function()
		for _, name in ipairs({ "alice", "Player_1", "a-b", ("a"):rep(20) }) do
			assert.is_true(text.is_player_name(name))
		end
		for _, name in ipairs({ "", "a b", ":pipeworks", "Zoë", ("a"):rep(21) }) do
			assert.is_false(text.is_player_name(name))
		end
		assert.is_false(text.is_player_name(nil))
	end)
end)

describe("text.find_word", function()
	it("finds a name in any case, as a word", function()
		assert.equal(7, text.find_word("Hello MIRA!", "Mira"))
		assert.equal(1, text.find_word("mira's bread", "Mira"))
		assert.equal(5, text.find_word("hi, old tom", "Old Tom"))
	end)

	it("finds none inside other words", function()
		assert.is_nil(text.find_word("miracle admiral", "Mira"))
		assert.is_nil(text.find_word("Mira_2", "Mira"))
		assert.is_nil(text.find_word("Miraé", "Mira"))
	end)

	it("takes a name for letters, not for a pattern", function()
		assert.equal(4, text.find_word("hi M.r-a", "M.r-a"))
		assert.is_nil(text.find_word("hi Mira", "M..a"))
	end)

	it("finds no empty name", function()
		assert.is_nil(text.find_word("hello", ""))
	end)
end)

describe("text.wrap", function()
	it("breaks at spaces and keeps the end", function()
		assert.same({ "one two", "three" }, text.wrap("one two three", 8, 3))
		assert.same({ "three" }, text.wrap("one two three", 8, 1))
		assert.same({}, text.wrap("", 8, 3))
	end)

	it("counts characters", function()
		assert.same({ "éééé éééé" }, text.wrap("éééé éééé", 9, 3))
	end)
end)

local part = dofile("spec/support/part.lua")
local arguments = part("npc/arguments", { action_table = part("npc/action_table"), text = part("game/text") })

local function reason(name, given)
	local row, why = arguments.check(name, given)
	assert.is_nil(row)
	return why
end

describe("arguments.check", function()
	it("passes what the table allows", function()
		local row, checked = arguments.check("give", { item = "default:apple", count = 3, target = "alice" })
		assert.equal(8, row.reach)
		assert.same({ item = "default:apple", count = 3, target = "alice" }, checked)
		assert.same({}, (select(2, arguments.check("stop", {}))))
		assert.same({ kind = "wave" }, (select(2, arguments.check("emote", { kind = "wave" }))))
	end)

	it("refuses actions that are unknown or not executed", function()
		assert.equal("there is no such action", reason("explode", {}))
		assert.equal("there is no such action", reason(nil, {}))
		assert.equal("this mod cannot do that yet", reason("attack", { target = "alice" }))
	end)

	it("refuses missing arguments and surplus ones", function()
		assert.equal("argument item is missing", reason("give", { count = 1 }))
		assert.equal("there is an argument too many", reason("stop", { target = "alice" }))
		assert.equal("the arguments are no map", reason("stop", "now"))
	end)

	it("refuses numbers out of range", function()
		for _, bad in ipairs({ 0, -1, 1.5, 100, 1 / 0, 0 / 0, "3" }) do
			assert.equal("argument count is not a usable count", reason("give", { item = "a:b", count = bad }))
		end
	end)

	it("refuses gestures it does not know and text that hides something", function()
		assert.equal("argument kind is not a usable emote", reason("emote", { kind = "backflip" }))
		for _, bad in ipairs({ "", " a", "a\nb", "\27(c@red)a", ("a"):rep(201), 5 }) do
			assert.equal("argument target is not a usable target", reason("follow", { target = bad }))
		end
	end)
end)

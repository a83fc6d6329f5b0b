-- The game's catalogue: odd items and recipes of other mods, and a link that takes no more just now.

local part = dofile("spec/support/part.lua")
local net = dofile("spec/support/net.lua")

describe("knowledge", function()
	local knowledge, sent, logged, answers, items, recipes

	local function all_items()
		local names = {}
		for _, message in ipairs(sent) do
			for _, item in ipairs(message.items) do
				names[#names + 1] = item.name
			end
		end
		return names
	end

	local function learn()
		knowledge.begin()
		for _ = 1, 50 do
			knowledge.step()
		end
		knowledge.send()
		for _ = 1, 50 do
			knowledge.step()
		end
	end

	before_each(function()
		sent, logged, answers, items, recipes = {}, {}, {}, {}, {}
		for number = 1, 60 do
			items[("a:item%02d"):format(number)] = { description = "Item " .. number, groups = { wood = 1 } }
		end
		_G.core = {
			registered_items = items,
			registered_aliases = {},
			get_translated_string = function(_, raw) return raw end,
			get_all_craft_recipes = function(name) return recipes[name] end,
			sha1 = function(text) return net.hex(net.sha1(text)) end,
			get_connected_players = function() return {} end,
			get_us_time = function() return 0 end,
		}
		_G.ItemStack = function() return { is_empty = function() return false end, get_count = function() return 1 end } end
		local codec = net.codec(net.messagepack())
		local mod = {
			text = part("game/text"),
			log = function(level, text) logged[#logged + 1] = level .. ": " .. text end,
			link = { send = function(_, message)
				local refused = table.remove(answers, 1)
				local payload, problem = codec:encode(message)
				if refused or not payload then
					return nil, refused or problem
				end
				sent[#sent + 1] = message
				return true
			end },
		}
		knowledge = part("game/knowledge", mod)
	end)

	after_each(function()
		_G.core, _G.ItemStack = nil, nil
	end)

	it("goes out in parts", function()
		learn()
		assert.equal(3, #sent)
		assert.equal(60, #all_items())
	end)

	it("waits while the link is full, and ends with a link that went down", function()
		answers = { false, "full", "full" }
		learn()
		assert.equal(60, #all_items())
		sent, answers = {}, { false, "down" }
		knowledge.send()
		for _ = 1, 50 do
			knowledge.step()
		end
		assert.equal(1, #sent)
	end)

	it("leaves out what cannot be told, and nothing else", function()
		items["a:item07"].groups = { level = math.huge, dig = -math.huge, stone = 2 ^ 40, wood = 2 }
		items["a:item08"].groups = { not_in_creative_inventory = "1" }
		recipes["a:item09"] = { { method = "normal", width = 1, items = {}, output = "a:item09" } }
		learn()
		assert.equal(60, #all_items())
		for _, message in ipairs(sent) do
			assert.same({}, message.recipes)
			for _, item in ipairs(message.items) do
				if item.name == "a:item07" then
					assert.same({ wood = 2 }, item.groups)
				end
			end
		end
	end)

	it("sends the other parts when one cannot be sent at all", function()
		answers = { false, "it cannot be encoded" }
		learn()
		assert.equal(3, #sent)
		assert.equal(35, #all_items())
		assert.equal("error: part 2 of the catalogue cannot be sent: it cannot be encoded", logged[#logged])
	end)
end)

-- Whom an action means, where several have the name.

local part = dofile("spec/support/part.lua")

describe("targets", function()
	local targets, players, place, mobs
	local body = { record = { id = "1" }, object = { get_pos = function() return { x = 0, y = 0, z = 0 } end } }

	local function at(x)
		return { x = x, y = 0, z = 0 }
	end

	local function found(name)
		local target = targets.find(body, name)
		return target and target.kind .. " " .. target.name
	end

	before_each(function()
		players, place, mobs = {}, nil, {}
		_G.core = {
			get_connected_players = function()
				local list = {}
				for name, x in pairs(players) do
					list[#list + 1] = { get_player_name = function() return name end, get_pos = function() return at(x) end }
				end
				return list
			end,
			get_player_by_name = function(name)
				return players[name] and { get_pos = function() return at(players[name]) end }
			end,
		}
		local mod = {
			text = part("game/text"),
			records = { by_name = function() return nil end },
			snapshot = { mobs = function() return mobs end },
			places = { by_name = function() return place end },
		}
		mod.bearings = part("game/bearings", mod)
		targets = part("npc/targets", mod)
	end)

	after_each(function()
		_G.core = nil
	end)

	it("finds a player, a place and nobody", function()
		players = { Alice = 3 }
		assert.equal("player Alice", found("alice"))
		assert.is_nil(found("river"))
		place = { name = "river", pos = at(9) }
		assert.equal("place river", found("river"))
	end)

	it("lets nobody take the visitors of a place by taking its name", function()
		players, place = { Market = 150 }, { name = "market", pos = at(20) }
		assert.equal("place market", found("market"))
		assert.equal("player Market", found("Market"))
		players = { Market = 5 }
		assert.equal("place market", found("market"))
		assert.equal("player Market", found("MARKET"))
	end)

	it("means the nearest of those who are spelt the same", function()
		players, place = { market = 150 }, { name = "market", pos = at(20) }
		assert.equal("place market", found("market"))
		mobs = { { name = "market", object = { get_pos = function() return at(2) end } } }
		assert.equal("mob market", found("market"))
	end)
end)

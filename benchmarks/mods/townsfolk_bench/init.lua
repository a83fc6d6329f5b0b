-- A chat command comes in, world events at a steady rate go out: `/bench events RATE SECONDS` digs and places
-- nodes in the name of the player, through the engine's own functions, so that every mod's callbacks run.
-- `/bench reset` lets Townsfolk's step statistics begin anew.

local AT = { x = 0, y = 30, z = 0 }
local NODE = { name = core.registered_nodes["default:dirt"] and "default:dirt" or "air" }

local rate, left, debt, player_name = 0, 0, 0, nil

core.register_globalstep(function(dtime)
	local player = player_name and core.get_player_by_name(player_name)
	if left <= 0 or not player then
		return
	end
	left = left - dtime
	debt = debt + rate * dtime
	while debt >= 2 do
		debt = debt - 2
		core.set_node(AT, NODE)
		for _, placed in ipairs(core.registered_on_placenodes) do
			placed(AT, NODE, player, { name = "air" }, ItemStack(NODE.name), { type = "node", under = AT, above = AT })
		end
		core.node_dig(AT, NODE, player)
	end
end)

core.register_chatcommand("bench", {
	params = "events RATE SECONDS | reset",
	func = function(name, parameters)
		local wanted, seconds = parameters:match("^events (%d+) (%d+)$")
		if wanted then
			rate, left, player_name = tonumber(wanted), tonumber(seconds), name
			return true, "bench: events"
		end
		if parameters == "reset" then
			townsfolk.stats.reset()
			return true, "bench: reset"
		end
		return false, "bench: what?"
	end,
})

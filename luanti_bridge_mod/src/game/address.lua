-- A player's line and the NPCs around come in, the NPC that was meant goes out. Pure: `bearings` and `text` are passed in.

local mod = ...
local bearings, text = mod.bearings, mod.text

local address = {}

-- Cosine of half the angle within which somebody counts as faced: 45 degrees to either side.
local FACED = 0.7

-- Height is left out: who looks at somebody's feet or over their head still faces them.
local function faces(player, pos)
	local dx, dz = pos.x - player.pos.x, pos.z - player.pos.z
	local across = math.sqrt(dx * dx + dz * dz)
	local look = math.sqrt(player.look.x ^ 2 + player.look.z ^ 2)
	if across < 0.5 or look < 0.01 then
		return true
	end
	return (dx * player.look.x + dz * player.look.z) / (across * look) >= FACED
end

--- Who is meant by a line said aloud?
-- `player` has `pos` and `look` (its look direction); each of `npcs` has `name` and `pos`; `limits` has
-- `near` and `named`, in nodes. Returns the NPC and `named` or `near`, or nil when nobody is meant.
function address.choose(line, player, npcs, limits)
	local meant, first, least
	for _, npc in ipairs(npcs) do
		local away = bearings.distance(player.pos, npc.pos)
		local at = away <= limits.named and text.find_word(line, npc.name)
		if at and (not meant or at < first or (at == first and away < least)) then
			meant, first, least = npc, at, away
		end
	end
	if meant then
		return meant, "named"
	end
	for _, npc in ipairs(npcs) do
		local away = bearings.distance(player.pos, npc.pos)
		if away <= limits.near and faces(player, npc.pos) and (not meant or away < least) then
			meant, least = npc, away
		end
	end
	if meant then
		return meant, "near"
	end
	return nil
end

--- The nearest of `npcs` to `pos` within `reach` nodes, or nil.
function address.nearest(pos, npcs, reach)
	local found, least
	for _, npc in ipairs(npcs) do
		local away = bearings.distance(pos, npc.pos)
		if away <= reach and (not found or away < least) then
			found, least = npc, away
		end
	end
	return found
end

return address

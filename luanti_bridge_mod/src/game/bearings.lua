-- Two positions come in, what a person would say of the way from one to the other goes out. Pure.
-- North is +z and east is +x, as on the game's compass.

local bearings = {}

local WINDS = { "north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west" }

--- Whether this is a number that a world position can have; NaN, infinities and 1e300 are not.
function bearings.is_coordinate(value)
	return type(value) == "number" and value == value and value >= -40000 and value <= 40000
end

--- Whether `pos` is a table with three usable coordinates.
function bearings.is_position(pos)
	return type(pos) == "table"
		and bearings.is_coordinate(pos.x)
		and bearings.is_coordinate(pos.y)
		and bearings.is_coordinate(pos.z)
end

function bearings.distance(from, to)
	local dx, dy, dz = to.x - from.x, to.y - from.y, to.z - from.z
	return math.sqrt(dx * dx + dy * dy + dz * dz)
end

--- One of the eight winds, `above`, `below`, or `here` within a node and a half.
function bearings.direction(from, to)
	local dx, dy, dz = to.x - from.x, to.y - from.y, to.z - from.z
	local across = math.sqrt(dx * dx + dz * dz)
	if across < 1.5 then
		if math.abs(dy) < 2 then
			return "here"
		end
		return dy > 0 and "above" or "below"
	end
	-- atan2(x, z): the angle grows clockwise from north.
	local octant = math.floor(math.atan2(dx, dz) / (math.pi / 4) + 0.5) % 8
	return WINDS[octant + 1]
end

--- `above` or `below` when the height differs by more than a third of the distance, else an empty string.
function bearings.vertical(from, to)
	local dy = to.y - from.y
	if math.abs(dy) < 2 or math.abs(dy) <= bearings.distance(from, to) / 3 then
		return ""
	end
	return dy > 0 and "above" or "below"
end

--- The yaw, in radians, of one who stands at `from` and looks at `to`.
function bearings.yaw(from, to)
	return math.atan2(-(to.x - from.x), to.z - from.z)
end

return bearings

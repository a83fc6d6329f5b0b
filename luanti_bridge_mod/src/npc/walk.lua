-- A body and a goal come in; velocity and yaw go out, a few times per second. Straight ahead where that
-- works, along a found path where it does not. Path searches are few and short: they cost the server time.

local mod = ...
local bearings = mod.bearings

local walk = {}

local PATH_REACH = 10
local SEARCH = 6
local MAX_JUMP, MAX_DROP = 1, 3
local PATH_PAUSE_ALL, PATH_PAUSE_ONE = 0.4, 2
local STUCK_AFTER = 1
local GIVE_UP_AFTER = 8

local last_search = 0

local function is_walkable(pos)
	local node = core.get_node_or_nil(pos)
	local definition = node and core.registered_nodes[node.name]
	-- Unknown ground counts as solid: nobody falls through it.
	return not definition or definition.walkable
end

local function is_liquid(pos)
	local node = core.get_node_or_nil(pos)
	local definition = node and core.registered_nodes[node.name]
	return definition ~= nil and (definition.liquidtype or "none") ~= "none"
end

-- Whether a step to `pos` would fall deeper than a path may drop; water is soft ground.
local function is_cliff(pos)
	for depth = 0, MAX_DROP do
		local below = vector.offset(pos, 0, -0.5 - depth, 0)
		if is_walkable(below) or is_liquid(below) then
			return false
		end
	end
	return true
end

--- The lowest free node at or up to four nodes under or two over `pos`, where feet can stand; nil when there is none.
function walk.ground(pos)
	local base = vector.round(vector.offset(pos, 0, 0.1, 0))
	for _, dy in ipairs({ 0, -1, -2, -3, -4, 1, 2 }) do
		local feet = vector.offset(base, 0, dy, 0)
		if not is_walkable(feet) and is_walkable(vector.offset(feet, 0, -1, 0)) then
			return feet
		end
	end
	return nil
end

-- A path of at most `PATH_REACH` nodes towards the goal, or nil. Rate-limited for all NPCs together.
local function search(way, pos, goal, now)
	if now - last_search < PATH_PAUSE_ALL or now - (way.searched or 0) < PATH_PAUSE_ONE then
		return nil
	end
	last_search, way.searched = now, now
	local away = bearings.distance(pos, goal)
	if away > PATH_REACH then
		goal = vector.add(pos, vector.multiply(vector.direction(pos, goal), PATH_REACH))
	end
	local from, to = walk.ground(pos), walk.ground(goal)
	if not from or not to then
		return nil
	end
	mod.stats.count("path_searches")
	return core.find_path(from, to, SEARCH, MAX_JUMP, MAX_DROP, "A*_noprefetch")
end

--- Stand still; gravity stays.
function walk.halt(object)
	local velocity = object:get_velocity()
	if velocity and (velocity.x ~= 0 or velocity.z ~= 0) then
		object:set_velocity({ x = 0, y = velocity.y, z = 0 })
	end
end

-- Notes progress towards the goal. Returns how long there was none.
local function time_without_progress(way, pos, goal, now)
	local away = bearings.distance(pos, goal)
	if not way.best or away < way.best - 0.3 or way.goal_moved then
		way.best, way.best_at, way.goal_moved = away, now, nil
	end
	return now - way.best_at
end

local function next_waypoint(way, pos)
	local path = way.path
	while path and path[way.at] do
		local point = path[way.at]
		if math.abs(point.x - pos.x) + math.abs(point.z - pos.z) > 0.6 then
			return point
		end
		way.at = way.at + 1
	end
	way.path = nil
	return nil
end

--- Go towards `goal` until `enough` nodes are left. Keeps its notes in `way`, an empty table at first.
-- Returns `arrived`, `walking`, or `stuck` when there has been no progress for long.
function walk.towards(object, way, goal, enough, speed, now)
	local pos, velocity = object:get_pos(), object:get_velocity()
	if way.goal and bearings.distance(way.goal, goal) > 1 then
		way.goal_moved = true
	end
	way.goal = goal
	local flat = math.sqrt((goal.x - pos.x) ^ 2 + (goal.z - pos.z) ^ 2)
	if flat <= enough and math.abs(goal.y - pos.y) < math.max(2, enough) then
		walk.halt(object)
		way.path, way.best = nil, nil
		return "arrived"
	end
	local idle = time_without_progress(way, pos, goal, now)
	if idle > GIVE_UP_AFTER then
		walk.halt(object)
		return "stuck"
	end
	if idle > STUCK_AFTER and not way.path then
		way.path, way.at = search(way, pos, goal, now), 2
	end
	local point = next_waypoint(way, pos) or goal
	if point == goal and flat < 0.5 then
		-- Right under or over somebody who flies or climbs: there is nowhere to go.
		walk.halt(object)
		return "walking"
	end
	local yaw = bearings.yaw(pos, point)
	object:set_yaw(yaw)
	local ahead = { x = -math.sin(yaw), z = math.cos(yaw) }
	local vy = velocity.y
	if is_liquid(vector.offset(pos, 0, 0.5, 0)) then
		vy = 1.5
	elseif not way.path and is_cliff({ x = pos.x + ahead.x, y = pos.y, z = pos.z + ahead.z }) then
		-- Standing still counts as no progress, so a path is searched next.
		walk.halt(object)
		return "walking"
	end
	object:set_velocity({ x = ahead.x * speed, y = vy, z = ahead.z * speed })
	return "walking"
end

return walk

-- What an NPC is about over many steps: following somebody, or walking somewhere. One task at a time;
-- a new one ends the old one. Each task that came from an action reports its end once.

local mod = ...
local bearings, walk, records = mod.bearings, mod.walk, mod.records

local tasks = {}

local KEEP_DISTANCE = 2.5
local LOST_AFTER = 30
local LOST_DISTANCE = 64
local MAX_WALK = 120

-- Takes the task from the record and reports its end, if somebody waits for that.
local function end_task(record, result, reason)
	local task = record.task
	record.task = nil
	records.save(record)
	if task and task.finish then
		task.finish(result, reason)
	end
end

local function finish(body, result, reason)
	body.target, body.way = nil, {}
	walk.halt(body.object)
	body:animate("stand")
	end_task(body.record, result, reason)
end

--- The NPC is taken away from what it is doing, with or without a body.
function tasks.drop(record, reason)
	if record.task then
		end_task(record, "failed", reason)
	end
end

--- Begin following a target until told otherwise. Players are followed again after a restart.
function tasks.follow(body, target)
	tasks.stop(body, "something else came up")
	body.target = target
	body.record.task = { kind = "follow", target = target.name, of = target.kind }
	records.save(body.record)
end

--- Begin walking to a target; `report(result, reason)` is called once, at the end.
function tasks.go_to(body, target, report)
	tasks.stop(body, "something else came up")
	body.target = target
	body.go_until = mod.now() + MAX_WALK
	-- Not saved: after a restart nobody waits for this walk any more.
	body.record.task = { kind = "go_to", target = target.name, of = target.kind, finish = report }
end

--- End the present task, if any. `reason` is what a walk that did not arrive reports.
function tasks.stop(body, reason)
	if body.record.task then
		finish(body, "failed", reason)
	end
end

--- What the NPC is doing, in words for the model; empty when nothing.
function tasks.doing(record)
	local task = record.task
	if not task then
		return ""
	end
	return (task.kind == "follow" and "following " or "walking to ") .. task.target
end

local function target_of(body, task)
	-- After a restart only the name is left of the target.
	if not body.target then
		body.target = task.of == "player" and mod.targets.player(task.target) or mod.targets.find(body, task.target)
	end
	return body.target
end

local function follow(body, now)
	local target = target_of(body, body.record.task)
	local goal = target and target.pos()
	local pos = body.object:get_pos()
	if not goal or bearings.distance(pos, goal) > LOST_DISTANCE then
		body.lost_at = body.lost_at or now
		walk.halt(body.object)
		body:animate("stand")
		if now - body.lost_at > LOST_AFTER then
			body.lost_at = nil
			finish(body)
		end
		return
	end
	body.lost_at = nil
	local speed = mod.settings.walk_speed * (bearings.distance(pos, goal) > 6 and 1.4 or 1)
	local state = walk.towards(body.object, body.way, goal, KEEP_DISTANCE, speed, now)
	if state == "stuck" then
		-- The one who is followed may come back: keep the task, begin anew.
		body.way = {}
	end
	body:animate(state == "walking" and "walk" or "stand")
	if state == "arrived" then
		body:face(goal)
	end
end

local function go_to(body, now)
	local target = target_of(body, body.record.task)
	local goal = target and target.pos()
	if not goal then
		return finish(body, "failed", "the target is gone")
	elseif now > (body.go_until or 0) then
		return finish(body, "failed", "it took too long")
	end
	local enough = target.kind == "place" and 1 or KEEP_DISTANCE
	local state = walk.towards(body.object, body.way, goal, enough, mod.settings.walk_speed, now)
	if state == "arrived" then
		return finish(body, "done", "")
	elseif state == "stuck" then
		return finish(body, "failed", "there is no way")
	end
	body:animate("walk")
end

--- One more bit of the present task.
function tasks.tick(body, now)
	if body.record.task.kind == "follow" then
		follow(body, now)
	else
		go_to(body, now)
	end
end

return tasks

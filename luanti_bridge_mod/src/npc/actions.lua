-- An action that the runtime's policy allowed comes in, is checked again against the world as it is now, is
-- done, and its fate goes out as the wire's `ActionResult`. The same id never acts twice. Nothing here creates
-- an item: what a player gets was in the NPC's bag before.

local mod = ...
local bearings, npcs, records, targets, tasks = mod.bearings, mod.npcs, mod.records, mod.targets, mod.tasks

local actions = {}

local MAX_AGE = 10
local MAX_REMEMBERED = 1000
local GESTURE_SECONDS = 2

local GESTURES = {
	wave = { says = "waves", animation = "mine" },
	nod = { says = "nods" },
	shake_head = { says = "shakes the head" },
	bow = { says = "bows" },
	dance = { says = "dances", animation = "walk_mine", seconds = 6 },
	sit = { says = "sits down", animation = "sit", seconds = 20 },
	cheer = { says = "cheers", hop = true },
	shrug = { says = "shrugs" },
}

-- Results by action id, the oldest forgotten first; `false` while the action is still going on.
local results, order, oldest = {}, {}, 1
local started = mod.now()

local function report(id, result, reason)
	results[id] = { result = result, reason = reason or "" }
	mod.link:send({ type = "action_result", action = id, result = result, reason = (reason or ""):sub(1, 200) })
	mod.stats.count("actions_" .. result)
end

local function remember(id)
	results[id] = false
	order[#order + 1] = id
	if #order - oldest + 1 > MAX_REMEMBERED then
		results[order[oldest]] = nil
		order[oldest] = nil
		oldest = oldest + 1
	end
end

local function target_within(body, name, requester, reach)
	local target = name and targets.find(body, name) or (not name and targets.player(requester)) or nil
	local pos = target and target.pos()
	if not pos then
		return nil, "nobody and nothing of that name is here"
	end
	local away = bearings.distance(body.object:get_pos(), pos)
	if away > reach then
		return nil, ("%s is %d nodes away; the limit is %d"):format(target.name, away, reach)
	end
	return target, pos
end

local run = {}

function run.follow(body, request, row, report_end)
	local target, problem = target_within(body, request.arguments.target, request.player, row.reach)
	if not target then
		return report_end("failed", problem)
	elseif target.kind == "place" then
		return report_end("refused", "a place cannot be followed")
	end
	tasks.follow(body, target)
	report_end("done")
end

function run.stop(body, _, _, report_end)
	tasks.stop(body, "told to stop")
	report_end("done")
end

function run.go_to(body, request, row, report_end)
	local target, problem = target_within(body, request.arguments.target, request.player, row.reach)
	if not target then
		return report_end("failed", problem)
	end
	tasks.go_to(body, target, report_end)
end

function run.look_at(body, request, row, report_end)
	local target, pos = target_within(body, request.arguments.target, request.player, row.reach)
	if not target then
		return report_end("failed", pos)
	end
	body:look_for_a_while(pos)
	report_end("done")
end

function run.emote(body, request, _, report_end)
	local gesture = GESTURES[request.arguments.kind]
	local seconds = gesture.seconds or GESTURE_SECONDS
	body:set_overhead("*" .. gesture.says .. "*", seconds)
	body:animate(gesture.animation or "stand")
	body.gesture_until = mod.now() + seconds
	if gesture.hop then
		body.object:set_velocity({ x = 0, y = 4, z = 0 })
	end
	mod.speech.near(body.record, ("* %s %s"):format(body.record.name, gesture.says), request.player)
	report_end("done")
end

-- First out of the bag and written down, then into the player's hands: a crash in between may lose, never double.
function run.give(body, request, row, report_end)
	local record = body.record
	local item, count = request.arguments.item, request.arguments.count or 1
	item = core.registered_aliases[item] or item
	local target, problem = target_within(body, request.arguments.target, request.player, row.reach)
	if not target then
		return report_end("failed", problem)
	elseif target.kind ~= "player" then
		return report_end("refused", "only players can be given something")
	elseif not core.check_player_privs(target.name, "interact") then
		return report_end("refused", target.name .. " may not take things (no interact privilege)")
	elseif not core.registered_items[item] then
		return report_end("failed", "this game has no such item")
	elseif (record.inventory[item] or 0) < count then
		return report_end("failed", ("only %d of them in the bag"):format(record.inventory[item] or 0))
	end
	local player = core.get_player_by_name(target.name)
	if player:get_hp() <= 0 then
		return report_end("failed", target.name .. " is dead")
	end
	local left_in_bag = record.inventory[item] - count
	record.inventory[item] = left_in_bag > 0 and left_in_bag or nil
	records.save(record)
	-- A stack holds at most what its kind allows; the rest makes stacks of its own.
	local remaining = count
	while remaining > 0 do
		local part = ItemStack(item)
		part:set_count(math.min(remaining, math.max(1, part:get_stack_max())))
		remaining = remaining - part:get_count()
		local over = player:get_inventory():add_item("main", part)
		if not over:is_empty() then
			core.add_item(player:get_pos(), over)
		end
	end
	mod.speech.near(record, ("* %s hands %s %d × %s"):format(record.name, target.name, count, item), target.name)
	report_end("done")
end

local function refusal(request)
	local record = records.get(request.npc)
	if not record then
		return nil, "failed", "there is no such NPC"
	end
	local body = npcs.body(record.id)
	if not body then
		return nil, "failed", record.name .. " is in no active part of the world"
	elseif npcs.problem(record.id) then
		return nil, "failed", record.name .. " is switched off after an error"
	elseif npcs.is_frozen(record.id) then
		return nil, "refused", record.name .. " is frozen"
	elseif not core.get_player_by_name(request.player) then
		return nil, "refused", "the player who asked is not here"
	elseif not core.check_player_privs(request.player, "interact") then
		return nil, "refused", request.player .. " may not ask for this (no interact privilege)"
	end
	return body
end

local function is_stale(taken, now)
	-- Before this start of the server the clock may have been another one.
	return type(taken) ~= "number" or taken ~= taken or taken < started or now - taken > MAX_AGE or taken > now + 1
end

--- The handler of the wire's `ActionRequest`.
function actions.handle(request)
	local id = request.action
	if type(id) ~= "string" or #id ~= 26 or type(request.player) ~= "string" or type(request.npc) ~= "string" then
		mod.stats.count("bad_messages")
		return
	end
	local earlier = results[id]
	if earlier ~= nil then
		mod.stats.count("actions_replayed")
		-- One that is still going on reports when it ends.
		if earlier then
			report(id, earlier.result, earlier.reason)
		end
		return
	end
	remember(id)
	local row, checked = mod.arguments.check(request.name, request.arguments)
	if not row then
		return report(id, "refused", checked)
	elseif is_stale(request.taken, mod.now()) then
		return report(id, "stale", "the snapshot it was decided on is too old")
	end
	local body, result, reason = refusal(request)
	if not body then
		return report(id, result, reason)
	end
	local function report_end(how, why)
		report(id, how, why)
	end
	local sound = { player = request.player, arguments = checked }
	if not npcs.run(body.record, "action " .. request.name, run[request.name], body, sound, row, report_end) then
		report(id, "failed", "an error inside the mod; see the server's log")
	end
end

for name, row in pairs(mod.action_table.actions) do
	assert(not row.executed or run[name], "action " .. name .. " is said to be executed, and nothing executes it")
end
for _, emote in ipairs(mod.action_table.emotes) do
	assert(GESTURES[emote], "gesture " .. emote .. " is in the table of actions and not here")
end

return actions

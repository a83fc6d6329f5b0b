-- The body of an NPC: what players see and click. It carries its record's id as staticdata and nothing else;
-- it is never saved with the map, because its record is (`npcs` gives it a body again).

local mod = ...
local bearings, npcs, records, walk = mod.bearings, mod.npcs, mod.records, mod.walk

local THINK_EVERY = 0.2
local REMEMBER_EVERY = 5
local OVERHEAD_EVERY = 0.25
local LOOK_SECONDS = 10
local OVERHEAD_WIDTH, OVERHEAD_ROWS = 44, 3
local SKINS = 8

-- The player model where the game has it: it can walk. Else our own figure with the same skin.
local has_player_model = core.get_modpath("player_api") ~= nil
	and core.global_exists("player_api")
	and player_api.registered_models["character.b3d"] ~= nil
local MESH = has_player_model and "character.b3d" or "townsfolk_figure.obj"
local ANIMATIONS = has_player_model and player_api.registered_models["character.b3d"].animations or {}

local Body = {
	initial_properties = {
		physical = true,
		collide_with_objects = false,
		collisionbox = { -0.3, 0, -0.3, 0.3, 1.7, 0.3 },
		visual = "mesh",
		mesh = MESH,
		visual_size = { x = 1, y = 1 },
		textures = { "townsfolk_skin_1.png" },
		stepheight = 1.1,
		makes_footstep_sound = true,
		hp_max = 20,
		static_save = false,
	},
}

-- Somebody of that name always has the same looks.
local function skin_of(name)
	local sum = 0
	for index = 1, #name do
		sum = (sum * 31 + name:byte(index)) % 65536
	end
	return ("townsfolk_skin_%d.png"):format(sum % SKINS + 1)
end

function Body:on_activate(staticdata)
	local record = records.get(staticdata)
	if not record or not npcs.embody(staticdata, self) then
		self.object:remove()
		return
	end
	self.record = record
	self.way = {}
	self.since_think = math.random() * THINK_EVERY
	self.remembered_at = mod.now()
	self.shown_at = 0
	self.object:set_armor_groups({ immortal = 1 })
	self.object:set_properties({
		textures = { skin_of(record.name) },
		infotext = mod.S("@1: right-click to talk", record.name),
	})
	self.object:set_acceleration({ x = 0, y = -9.81, z = 0 })
	self.object:set_yaw(record.yaw or 0)
	self:show_overhead()
	self:animate("stand")
end

function Body:on_deactivate()
	-- One that was moved or replaced has a new body already, and the old place counts no more.
	if self.record and npcs.disembody(self.record.id, self) then
		self:remember_place()
	end
end

function Body:on_step(dtime)
	if not self.record then
		return
	end
	self.since_think = self.since_think + dtime
	if self.since_think < THINK_EVERY then
		return
	end
	self.since_think = 0
	if npcs.problem(self.record.id) then
		return
	end
	npcs.run(self.record, "think", self.think, self, mod.now())
end

--- What the NPC does by itself, a few times per second.
function Body:think(now)
	if self.overhead_until and now > self.overhead_until then
		self.overhead, self.overhead_until = nil, nil
		self.overhead_changed = true
	end
	if self.overhead_changed then
		self:show_overhead(now)
	end
	if now - self.remembered_at > REMEMBER_EVERY then
		self.remembered_at = now
		self:remember_place()
	end
	if npcs.is_frozen(self.record.id) then
		walk.halt(self.object)
		self:animate("stand")
		return
	end
	if self.record.task then
		self.gesture_until = nil
		mod.tasks.tick(self, now)
	elseif self.gesture_until and now < self.gesture_until then
		return
	else
		self.gesture_until = nil
		walk.halt(self.object)
		self:animate("stand")
		mod.fallback.idle(self, now)
	end
end

--- Write the place into the record when it has changed; the record is where the NPC is after a restart.
function Body:remember_place()
	local pos = self.object:get_pos()
	if not (bearings.is_position(pos) and records.get(self.record.id) == self.record) then
		return
	end
	if bearings.distance(pos, self.record.pos) > 0.5 then
		self.record.pos, self.record.yaw = pos, self.object:get_yaw()
		records.save(self.record)
	end
end

--- Show an animation of the player model; our own figure has none.
function Body:animate(name)
	local range = ANIMATIONS[name]
	if range and self.animation ~= name then
		self.animation = name
		self.object:set_animation({ x = range.x, y = range.y }, 30, 0, true)
	end
end

--- Turn to a position.
function Body:face(pos)
	self.object:set_yaw(bearings.yaw(self.object:get_pos(), pos))
end

--- Turn to a position and stay so for some seconds.
function Body:look_for_a_while(pos)
	self:face(pos)
	self.attended, self.glance_at = nil, mod.now() + LOOK_SECONDS
end

--- Keep looking at a player for some seconds.
function Body:attend(player_name, seconds)
	self.attended, self.attended_until = player_name, mod.now() + seconds
end

--- Show words over the head for some seconds; they follow the name on lines of their own.
function Body:set_overhead(words, seconds)
	local now = mod.now()
	self.overhead, self.overhead_until = words, now + seconds
	self.overhead_changed = true
	if now - self.shown_at >= OVERHEAD_EVERY then
		self:show_overhead(now)
	end
end

function Body:show_overhead(now)
	local lines = { self.record.name }
	for _, line in ipairs(mod.text.wrap(self.overhead or "", OVERHEAD_WIDTH, OVERHEAD_ROWS)) do
		lines[#lines + 1] = line
	end
	self.object:set_nametag_attributes({ text = table.concat(lines, "\n") })
	self.shown_at, self.overhead_changed = now or mod.now(), false
end

function Body:on_rightclick(clicker)
	if self.record and clicker and clicker:is_player() then
		npcs.run(self.record, "right-click", mod.dialog.open, clicker:get_player_name(), self.record)
	end
end

function Body:on_punch(puncher)
	if self.record and puncher and puncher:is_player() then
		npcs.run(self.record, "punch", mod.events.add, "punch", puncher:get_player_name(), self.record.name, self.object:get_pos())
	end
	return true
end

for _, callback in ipairs({ "on_activate", "on_deactivate", "on_step" }) do
	Body[callback] = mod.guard.wrap("entity: " .. callback, Body[callback])
end

core.register_entity("townsfolk:npc", Body)

-- A persona, a name and a place come in from an admin or another mod; whether such an NPC may be made goes out. Pure:
-- what is known and who is there stands in `mod`. It makes nobody.

local mod = ...
local bearings, text = mod.bearings, mod.text

local newcomers = {}

local MAX_PERSONA = 40

--- Whether there is such a persona. Until the runtime has told of any, each that could be one is taken on trust.
function newcomers.is_persona(persona)
	return type(persona) == "string" and #persona <= MAX_PERSONA and persona:find("^[a-z0-9_-]+$") ~= nil
		and (#mod.cards.ids() == 0 or mod.cards.get(persona) ~= nil)
end

--- May an NPC be made so? Returns its name, clean; or nil and `persona`, `position`, `name`, `taken` or `full`.
function newcomers.check(persona, raw_name, pos)
	if not newcomers.is_persona(persona) then
		return nil, "persona"
	elseif not bearings.is_position(pos) then
		return nil, "position"
	end
	local name = text.name(raw_name)
	if not name then
		return nil, "name"
	elseif mod.records.by_name(name) then
		return nil, "taken"
	elseif #mod.records.list() >= mod.settings.max_npcs then
		return nil, "full"
	end
	return name
end

return newcomers

-- A player's word that must arrive (a rating, a better wording, a choice about privacy) comes in; the link keeps it
-- until the runtime has it on disk. Pure: what it needs of the engine stands in `mod`.

local mod = ...

local keeping = {}

--- Keep a message of that type with these fields. Returns whether it could be kept; if not, the log says why.
function keeping.keep(kind, fields)
	local message = { type = kind, id = mod.new_id() }
	for name, value in pairs(fields) do
		message[name] = value
	end
	local kept, problem = mod.link:keep(message)
	if not kept then
		mod.log("error", ("a %s could not be kept: %s"):format(kind, tostring(problem)))
	end
	return kept == true
end

return keeping

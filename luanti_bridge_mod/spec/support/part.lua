-- Loads a pure part of the mod with what it needs, as init.lua does.

return function(name, mod)
	return assert(loadfile("src/" .. name .. ".lua"))(mod)
end

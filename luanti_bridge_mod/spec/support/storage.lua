-- Mod storage in memory: strings by key, "" removes.

return function()
	local values = {}
	return {
		values = values,
		get = function(key)
			return values[key]
		end,
		set = function(key, text)
			assert(type(text) == "string")
			values[key] = text ~= "" and text or nil
		end,
	}
end

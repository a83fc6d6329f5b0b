-- The server's settings come in, checked values go out; a bad value is named in the log and its default used.

local mod = ...

local function warn(key, value, default)
	mod.log("warning", ("setting townsfolk.%s: %q is not usable; %s is used"):format(key, value, tostring(default)))
	return default
end

local function number(key, default, least, most)
	local raw = core.settings:get("townsfolk." .. key)
	if raw == nil or raw == "" then
		return default
	end
	local value = tonumber(raw)
	if not value or value ~= value or value < least or value > most then
		return warn(key, raw, default)
	end
	return value
end

local function host(default)
	local raw = core.settings:get("townsfolk.host")
	if raw == nil or raw == "" then
		return default
	end
	return raw:find("^[%w%.%-:]+$") and raw or warn("host", raw, default)
end

-- The setting wins over the world's file: who runs several worlds sets one token, who runs one drops a file there.
local function token()
	local value = core.settings:get("townsfolk.token")
	if value and value ~= "" then
		return value
	end
	local file = io.open(core.get_worldpath() .. "/townsfolk_token", "r")
	if not file then
		return ""
	end
	local line = file:read("*l") or ""
	file:close()
	return (line:gsub("%s+", ""))
end

return {
	host = host("127.0.0.1"),
	port = number("port", 30301, 1, 65535),
	token = token(),
	near_distance = number("near_distance", 5, 1, 32),
	named_distance = number("named_distance", 32, 1, 200),
	hearing_distance = number("hearing_distance", 12, 1, 100),
	reply_deadline = number("reply_deadline", 7.5, 1, 60),
	walk_speed = number("walk_speed", 3.5, 0.5, 10),
	max_npcs = number("max_npcs", 100, 1, 1000),
	idle_lines = core.settings:get_bool("townsfolk.idle_lines", true),
	stats_file = core.settings:get_bool("townsfolk.stats_file", false),
}

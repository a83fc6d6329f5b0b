-- The trusted part, and all of it: the insecure environment in, LuaSocket and a private copy of MessagePack out.
-- Call it from the main chunk of init.lua, at load, as `dofile(path)(core.request_insecure_environment())`, and
-- keep what it returns local. It stores nothing, and nothing else of the mod ever sees the environment.

-- LuaSocket's files call the global `require`, which mod security has put out of use: it is lent to them for the
-- time of the load.
local function load_library(ie, name)
	local closed = rawget(_G, "require")
	rawset(_G, "require", ie.require)
	local found, library = pcall(ie.require, name)
	rawset(_G, "require", closed)
	return found and library or nil, not found and tostring(library):match("^[^\n]*") or nil
end

-- Another mod that uses MessagePack must not see the options we set in it.
local function load_private(ie, name)
	local loaded = ie.package.loaded
	local shared = loaded[name]
	loaded[name] = nil
	local library = load_library(ie, name)
	loaded[name] = shared
	return library
end

-- Returns LuaSocket and MessagePack (nil when it is not installed: the link then speaks JSON), or nil and what
-- the person can do about it.
return function(ie)
	if not ie then
		return nil, "not trusted: add townsfolk to `secure.trusted_mods` in the server's configuration and restart"
	end
	local socket, problem = load_library(ie, "socket")
	if not socket then
		return nil, "LuaSocket is missing: install it (Debian: apt install lua-socket) and restart (" .. problem .. ")"
	end
	return socket, load_private(ie, "MessagePack")
end

-- A function comes in, one that cannot take the server down and whose time is counted goes out.
-- An error is logged once per place and message. It never hides an error: it is counted in `stats`.

local mod = ...
local stats = mod.stats

local guard = {}

local depth = 0
local logged, distinct = {}, 0
local MAX_DISTINCT = 100

local function report(where, problem)
	stats.count("errors")
	local line = where .. ": " .. tostring(problem)
	if logged[line] or distinct >= MAX_DISTINCT then
		return
	end
	logged[line] = true
	distinct = distinct + 1
	mod.log("error", line .. " (the server goes on; this is logged once)")
end

-- Time is counted at the outermost guard only, so nothing counts twice.
local function finish(where, started, ok, ...)
	depth = depth - 1
	if depth == 0 then
		stats.add(core.get_us_time() - started)
	end
	if not ok then
		report(where, (...))
		return false, (...)
	end
	return true, ...
end

--- Run `fn(...)`. Returns true and its results, or false and the error, which is then already logged.
function guard.run(where, fn, ...)
	depth = depth + 1
	return finish(where, core.get_us_time(), pcall(fn, ...))
end

local function drop_flag(ok, ...)
	if ok then
		return ...
	end
	return nil
end

--- A guarded version of `fn` for the engine's callbacks; it returns nothing when `fn` fails.
function guard.wrap(where, fn)
	return function(...)
		return drop_flag(guard.run(where, fn, ...))
	end
end

return guard

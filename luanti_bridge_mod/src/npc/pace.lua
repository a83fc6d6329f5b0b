-- How often each player may do a thing: names and times come in, whether this once is within the limit goes out. Pure.

local pace = {}

local Pace = {}
Pace.__index = Pace

--- At most `most` times within `window` seconds, for each player.
function pace.new(most, window)
	return setmetatable({ most = most, window = window, times = {}, told = {} }, Pace)
end

--- The player does it, `now` in seconds. Returns true within the limit; else false, and whether this is the refusal
-- to tell them of: the first in a window.
function Pace:take(player_name, now)
	local times = self.times[player_name] or {}
	self.times[player_name] = times
	while times[1] and now - times[1] > self.window do
		table.remove(times, 1)
	end
	if #times < self.most then
		times[#times + 1] = now
		return true
	end
	local told = self.told[player_name]
	local is_first = not told or now - told > self.window
	if is_first then
		self.told[player_name] = now
	end
	return false, is_first
end

--- The player left.
function Pace:drop(player_name)
	self.times[player_name], self.told[player_name] = nil, nil
end

return pace

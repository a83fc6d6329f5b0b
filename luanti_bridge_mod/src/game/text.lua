-- Untrusted text comes in, harmless text goes out: no escapes, no control or invisible characters,
-- valid UTF-8, never longer than asked. Pure.

local text = {}

-- The longest line of talk, in characters: the engine's own limit for the chat.
text.MAX_LINE = 500

-- The longest name of an NPC or a place, in characters.
text.MAX_NAME = 40

local byte, sub, char = string.byte, string.sub, string.char

-- Ranges of code points that are dropped: invisible, re-ordering, or not characters at all.
local DROPPED = {
	{ 0x7F, 0x9F }, { 0xAD, 0xAD }, { 0x34F, 0x34F }, { 0x61C, 0x61C }, { 0x115F, 0x1160 }, { 0x17B4, 0x17B5 },
	{ 0x180B, 0x180F }, { 0x200B, 0x200F }, { 0x202A, 0x202E }, { 0x2060, 0x206F }, { 0x3164, 0x3164 },
	{ 0xD800, 0xF8FF }, { 0xFDD0, 0xFDEF }, { 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 },
	{ 0xFFF0, 0xFFFB }, { 0xFFFE, 0xFFFF }, { 0xE0000, 0x10FFFF },
}

-- Code points that become a plain space.
local SPACES = { [9] = true, [10] = true, [13] = true, [0xA0] = true, [0x2028] = true, [0x2029] = true }

local function is_dropped(point)
	if point < 0x20 then
		return true
	end
	if point < 0x7F then
		return false
	end
	for _, range in ipairs(DROPPED) do
		if point >= range[1] and point <= range[2] then
			return true
		end
	end
	return point > 0x10FFFF
end

-- The code point at `i` and its length in bytes, or nil for a byte that is not valid UTF-8 there.
local function decode(s, i)
	local a = byte(s, i)
	if a < 0x80 then
		return a, 1
	end
	local length, point, least
	if a >= 0xC2 and a <= 0xDF then
		length, point, least = 2, a - 0xC0, 0x80
	elseif a >= 0xE0 and a <= 0xEF then
		length, point, least = 3, a - 0xE0, 0x800
	elseif a >= 0xF0 and a <= 0xF4 then
		length, point, least = 4, a - 0xF0, 0x10000
	else
		return nil
	end
	for k = i + 1, i + length - 1 do
		local b = byte(s, k)
		if not b or b < 0x80 or b > 0xBF then
			return nil
		end
		point = point * 64 + (b - 0x80)
	end
	if point < least then
		return nil
	end
	return point, length
end

-- The position after the escape sequence that starts at `i`: the engine's `\27(…)` and `\27E`, and ANSI's `\27[…m`.
local function skip_escape(s, i)
	local kind = sub(s, i + 1, i + 1)
	if kind == "(" then
		local k = i + 2
		while k <= #s do
			local c = sub(s, k, k)
			if c == "\\" then
				k = k + 1
			elseif c == ")" then
				return k + 1
			end
			k = k + 1
		end
		return #s + 1
	elseif kind == "[" then
		local _, last = string.find(s, "^[0-?]*[ -/]*[@-~]", i + 2)
		return (last or i + 1) + 1
	elseif string.find(kind, "^[%w]") then
		return i + 2
	end
	return i + 1
end

--- Clean `s` and cut it to `limit` characters. Spaces at the ends stay: a stream is cleaned piece by piece.
function text.clean(s, limit)
	if type(s) ~= "string" then
		return ""
	end
	-- The cut comes first, so that a huge field costs no more than a long line.
	s = sub(s, 1, limit * 4)
	local out, count, i = {}, 0, 1
	while i <= #s and count < limit do
		if byte(s, i) == 27 then
			i = skip_escape(s, i)
		else
			local point, length = decode(s, i)
			if not point then
				i = i + 1
			else
				if SPACES[point] then
					count = count + 1
					out[count] = " "
				elseif not is_dropped(point) then
					count = count + 1
					out[count] = sub(s, i, i + length - 1)
				end
				i = i + length
			end
		end
	end
	return table.concat(out)
end

--- One clean line: runs of spaces become one, none at the ends.
function text.line(s, limit)
	local cleaned = text.clean(s, limit)
	return (cleaned:gsub(" +", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- The name of an NPC or a place, clean; nil when it cannot be one. Names may have spaces and letters of any language,
-- but no markup.
function text.name(s)
	local name = text.line(s, text.MAX_NAME + 1)
	if name == "" or text.length(name) > text.MAX_NAME or name:find("[%c<>%[%]{}\\/\"|;:]") then
		return nil
	end
	return name
end

--- Whether a player can have that name; machines and figures of other mods act under names that none can.
function text.is_player_name(name)
	return type(name) == "string" and #name <= 20 and name:find("^[%w_-]+$") ~= nil
end

--- Letters A–Z in lower case; other bytes as they are.
function text.lower(s)
	return (s:gsub("%u", function(c)
		return char(byte(c) + 32)
	end))
end

--- How many characters a valid UTF-8 string has.
function text.length(s)
	local _, continuation = s:gsub("[\128-\191]", "")
	return #s - continuation
end

local function is_word_byte(b)
	return b ~= nil and (b >= 128 or string.find(char(b), "[%w_]") ~= nil)
end

--- Where `word` stands in `line` as a word of its own, in any case; nil when it does not.
function text.find_word(line, word)
	if word == "" then
		return nil
	end
	local haystack, needle, from = text.lower(line), text.lower(word), 1
	while true do
		local first, last = haystack:find(needle, from, true)
		if not first then
			return nil
		end
		local before = first > 1 and byte(haystack, first - 1) or nil
		if not is_word_byte(before) and not is_word_byte(byte(haystack, last + 1)) then
			return first
		end
		from = first + 1
	end
end

--- Break a line at spaces so that no part is wider than `width` characters, and keep the last `rows` parts.
function text.wrap(s, width, rows)
	local lines, current = {}, ""
	for word in s:gmatch("%S+") do
		if current == "" then
			current = word
		elseif text.length(current) + 1 + text.length(word) <= width then
			current = current .. " " .. word
		else
			lines[#lines + 1] = current
			current = word
		end
	end
	if current ~= "" then
		lines[#lines + 1] = current
	end
	local kept = {}
	for index = math.max(1, #lines - rows + 1), #lines do
		kept[#kept + 1] = lines[index]
	end
	return kept
end

return text

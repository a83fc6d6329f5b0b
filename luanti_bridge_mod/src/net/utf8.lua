-- Strings in, a verdict out: is this well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF)?
-- Pure: returns its module table, never touches `core`.

local utf8 = {}

local byte, find = string.byte, string.find

-- Table 3-7 of the Unicode standard: the length of the sequence, and the range of the second byte.
local function shape(first)
	if first < 0xC2 then
		return nil
	elseif first < 0xE0 then
		return 2, 0x80, 0xBF
	elseif first < 0xF0 then
		return 3, first == 0xE0 and 0xA0 or 0x80, first == 0xED and 0x9F or 0xBF
	elseif first < 0xF5 then
		return 4, first == 0xF0 and 0x90 or 0x80, first == 0xF4 and 0x8F or 0xBF
	end
	return nil
end

local function continues(b)
	return b ~= nil and b >= 0x80 and b <= 0xBF
end

function utf8.valid(text)
	local at = find(text, "[\128-\255]")
	while at do
		local first, second, third, fourth = byte(text, at, at + 3)
		local length, low, high = shape(first)
		if not length or not second or second < low or second > high
				or (length > 2 and not continues(third))
				or (length > 3 and not continues(fourth)) then
			return false
		end
		at = find(text, "[\128-\255]", at + length)
	end
	return true
end

return utf8

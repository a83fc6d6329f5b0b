-- A clock reading and random bytes in, a ULID out (https://github.com/ulid/spec): 26 characters that sort
-- by time. Pure: returns its module table, never touches `core`. Within a millisecond, and when the clock
-- steps back, the last id is counted up, so ids of one process never repeat and always grow.

local ulid = {}

local ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
local TIME_DIGITS, RANDOM_DIGITS = 10, 16

local last_ms = -1
local last_digits

local function time_text(ms)
	local text = ""
	for _ = 1, TIME_DIGITS do
		local digit = ms % 32
		text = ALPHABET:sub(digit + 1, digit + 1) .. text
		ms = (ms - digit) / 32
	end
	return text
end

-- Five bits of each of sixteen bytes: eighty random bits.
local function fresh_digits(random)
	local bytes = random(RANDOM_DIGITS)
	local digits = {}
	for i = 1, RANDOM_DIGITS do
		digits[i] = bytes:byte(i) % 32
	end
	return digits
end

-- True when the digits wrapped around.
local function count_up(digits)
	for i = RANDOM_DIGITS, 1, -1 do
		if digits[i] < 31 then
			digits[i] = digits[i] + 1
			return false
		end
		digits[i] = 0
	end
	return true
end

-- `now_ms`: milliseconds since 1970; `random(n)`: a string of n random bytes.
function ulid.new(now_ms, random)
	local ms = math.floor(now_ms)
	if ms > last_ms then
		last_ms, last_digits = ms, fresh_digits(random)
	elseif count_up(last_digits) then
		last_ms = last_ms + 1
	end
	local text = {}
	for i = 1, RANDOM_DIGITS do
		text[i] = ALPHABET:sub(last_digits[i] + 1, last_digits[i] + 1)
	end
	return time_text(last_ms) .. table.concat(text)
end

return ulid

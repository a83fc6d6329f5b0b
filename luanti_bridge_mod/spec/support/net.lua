-- What the specs of the network parts share: loading, test vectors, fixed randomness, and what the engine gives
-- the mod (SHA-1, base64, JSON).

local net = {}

local bit = require("bit")
local json = require("dkjson")
local mime = require("mime")

function net.load(name)
	return dofile("src/" .. name .. ".lua")
end

function net.unhex(text)
	return (text:gsub("%x%x", function(pair)
		return string.char(tonumber(pair, 16))
	end))
end

function net.hex(bytes)
	return (bytes:gsub(".", function(c)
		return ("%02x"):format(c:byte())
	end))
end

-- Bytes of a vector: {hex}, {fill, times}, or a list of them.
function net.bytes(description)
	if description.hex then
		return net.unhex(description.hex)
	elseif description.fill then
		return net.unhex(description.fill):rep(description.times)
	end
	local all = ""
	for _, part in ipairs(description) do
		all = all .. net.bytes(part)
	end
	return all
end

function net.parse_json(text)
	local value, _, problem = json.decode(text, 1, nil, nil, nil)
	assert(problem == nil, problem)
	return value
end

function net.vectors(name)
	local file = assert(io.open("../tests/vectors/" .. name .. ".json"))
	local text = file:read("*a")
	file:close()
	return net.parse_json(text)
end

-- Numerical Recipes' generator, so that a seed means the same bytes everywhere.
function net.random(seed)
	local state = seed
	return function(n)
		local bytes = {}
		for i = 1, n do
			state = (state * 1664525 + 1013904223) % 2 ^ 32
			bytes[i] = string.char(math.floor(state / 2 ^ 24))
		end
		return table.concat(bytes)
	end
end

function net.messagepack()
	package.loaded["MessagePack"] = nil
	local library = require("MessagePack")
	package.loaded["MessagePack"] = nil
	return library
end

function net.codec(messagepack)
	return net.load("net/codec").new({
		messagepack = messagepack, parse_json = net.parse_json, valid_utf8 = net.load("net/utf8").valid,
	})
end

net.base64 = mime.b64

local function word(text, at)
	local a, b, c, d = text:byte(at, at + 3)
	return bit.bor(bit.lshift(a, 24), bit.lshift(b, 16), bit.lshift(c, 8), d)
end

local function round(i, b, c, d)
	if i < 20 then
		return bit.bor(bit.band(b, c), bit.band(bit.bnot(b), d)), 0x5A827999
	elseif i < 40 then
		return bit.bxor(b, c, d), 0x6ED9EBA1
	elseif i < 60 then
		return bit.bor(bit.band(b, c), bit.band(b, d), bit.band(c, d)), 0x8F1BBCDC
	end
	return bit.bxor(b, c, d), 0xCA62C1D6
end

-- FIPS 180-4, section 6.1; the raw twenty bytes.
function net.sha1(text)
	local h = { 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0 }
	local length = #text
	text = text .. "\128" .. ("\0"):rep((55 - length) % 64) .. ("\0"):rep(4)
		.. string.char(bit.band(bit.rshift(length, 21), 255), bit.band(bit.rshift(length, 13), 255),
			bit.band(bit.rshift(length, 5), 255), bit.band(length * 8, 255))
	for block = 1, #text, 64 do
		local w = {}
		for i = 0, 15 do
			w[i] = word(text, block + i * 4)
		end
		for i = 16, 79 do
			w[i] = bit.rol(bit.bxor(w[i - 3], w[i - 8], w[i - 14], w[i - 16]), 1)
		end
		local a, b, c, d, e = h[1], h[2], h[3], h[4], h[5]
		for i = 0, 79 do
			local f, k = round(i, b, c, d)
			a, b, c, d, e = bit.tobit(bit.rol(a, 5) + f + e + k + w[i]), a, bit.rol(b, 30), c, d
		end
		h = { bit.tobit(h[1] + a), bit.tobit(h[2] + b), bit.tobit(h[3] + c), bit.tobit(h[4] + d), bit.tobit(h[5] + e) }
	end
	local raw = {}
	for i = 1, 5 do
		for shift = 24, 0, -8 do
			raw[#raw + 1] = string.char(bit.band(bit.rshift(h[i], shift), 255))
		end
	end
	return table.concat(raw)
end

return net

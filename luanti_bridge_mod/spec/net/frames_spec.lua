local net = dofile("spec/support/net.lua")
local frames = net.load("net/frames")
local utf8 = net.load("net/utf8")
local vectors = net.vectors("frames")

local MAX = 1048576

local function parser()
	return frames.parser({ max_message = MAX, valid_utf8 = utf8.valid })
end

-- Feeds the pieces in order; returns all events and the close code.
local function feed(pieces)
	local p, all, problem = parser(), {}, nil
	for _, piece in ipairs(pieces) do
		local events, code = p:feed(piece)
		problem = problem or code
		for _, event in ipairs(events) do
			all[#all + 1] = event
		end
	end
	return all, problem
end

local function expected(case)
	local events = {}
	for i, event in ipairs(case.events) do
		events[i] = { opcode = event.opcode, code = event.code, reason = event.reason,
			payload = event.payload and net.bytes(event.payload) or nil }
	end
	return events
end

describe("frames.encode", function()
	for _, case in ipairs(vectors.client) do
		it("frames " .. case.name, function()
			local payload, key, head = net.bytes(case.payload), net.unhex(case.mask), net.unhex(case.head)
			local frame = frames.encode(case.opcode, payload, key)
			assert.equal(net.hex(head), net.hex(frame:sub(1, #head)))
			assert.is_true(payload == frames.mask(frame:sub(#head + 1), key))
		end)
	end

	it("masks byte i with byte i mod 4 of the key, at every length", function()
		local random, bit = net.random(2), require("bit")
		for length = 0, 40 do
			local data, key = random(length), random(4)
			local wanted = {}
			for i = 1, length do
				wanted[i] = string.char(bit.bxor(data:byte(i), key:byte((i - 1) % 4 + 1)))
			end
			assert.equal(net.hex(table.concat(wanted)), net.hex(frames.mask(data, key)))
		end
	end)

	it("cuts the reason of a close frame to what fits", function()
		assert.equal(125, #frames.close_payload(1000, ("x"):rep(500)))
	end)
end)

describe("frames.parser", function()
	for _, case in ipairs(vectors.server) do
		local bytes = net.bytes(case.bytes)

		it("reads " .. case.name, function()
			local events, problem = feed({ bytes })
			assert.same(expected(case), events)
			assert.equal(case.problem, problem)
		end)

		it("reads it cut at every byte: " .. case.name, function()
			local wanted = expected(case)
			for cut = 1, math.min(#bytes - 1, 300) do
				local events, problem = feed({ bytes:sub(1, cut), bytes:sub(cut + 1) })
				assert.same(wanted, events)
				assert.equal(case.problem, problem)
			end
		end)

		if #bytes <= 70000 then
			it("reads it byte by byte: " .. case.name, function()
				local pieces = {}
				for i = 1, #bytes do
					pieces[i] = bytes:sub(i, i)
				end
				local events, problem = feed(pieces)
				assert.same(expected(case), events)
				assert.equal(case.problem, problem)
			end)
		end
	end

	it("takes a length only in its shortest form", function()
		local _, problem = feed({ "\130\126\0\5hello" })
		assert.equal(1002, problem)
		_, problem = feed({ "\130\127\0\0\0\0\0\0\255\255" })
		assert.equal(1002, problem)
	end)

	it("takes a message of exactly the limit", function()
		local events, problem = feed({ "\130\127\0\0\0\0\0\16\0\0", ("x"):rep(MAX) })
		assert.is_nil(problem)
		assert.equal(MAX, #events[1].payload)
	end)

	it("stays refused after the first fault", function()
		local p = parser()
		p:feed("\193\0")
		local events, code, reason = p:feed("\130\1a")
		assert.same({}, events)
		assert.equal(1002, code)
		assert.matches("reserved", reason)
	end)

	it("survives 10,000 random byte strings, in random pieces", function()
		local random = net.random(3)
		for _ = 1, 10000 do
			local a, b = random(2):byte(1, 2)
			local p = parser()
			-- Half of them start like a good frame, to get past the header.
			local data = (a % 2 == 0 and "\130" .. string.char(b % 128) or "") .. random(a)
			local at = 1
			while at <= #data do
				local size = random(1):byte() % 40 + 1
				p:feed(data:sub(at, at + size - 1))
				at = at + size
			end
		end
	end)

	it("gives random messages back, whatever the pieces", function()
		local random = net.random(4)
		for _ = 1, 300 do
			local bytes, wanted = "", {}
			for i = 1, random(1):byte() % 5 + 1 do
				local payload = random(random(1):byte() % 126)
				wanted[i] = { opcode = frames.BINARY, payload = payload }
				bytes = bytes .. "\130" .. string.char(#payload) .. payload
			end
			local pieces, at = {}, 1
			while at <= #bytes do
				local size = random(1):byte() % 17 + 1
				pieces[#pieces + 1] = bytes:sub(at, at + size - 1)
				at = at + size
			end
			assert.same(wanted, (feed(pieces)))
		end
	end)
end)

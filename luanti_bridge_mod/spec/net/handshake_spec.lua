local net = dofile("spec/support/net.lua")
local handshake = net.load("net/handshake")
local vectors = net.vectors("handshake")

local function options(changes)
	local all = { host = "127.0.0.1", port = 30301, path = "/", key = vectors.key, token = "se-cret_1",
		subprotocol = vectors.subprotocol }
	for name, value in pairs(changes or {}) do
		all[name] = value
	end
	return all
end

local function response()
	return handshake.response(vectors.accept, vectors.subprotocol)
end

describe("handshake.request", function()
	it("is a request that RFC 6455 asks for, with the token", function()
		assert.equal(table.concat({
			"GET / HTTP/1.1", "Host: 127.0.0.1:30301", "Upgrade: websocket", "Connection: Upgrade",
			"Sec-WebSocket-Key: " .. vectors.key, "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Protocol: townsfolk.v1+msgpack", "Authorization: Bearer se-cret_1", "", "",
		}, "\r\n"), handshake.request(options()))
	end)

	it("puts an IPv6 address in brackets", function()
		assert.matches("Host: %[::1%]:30301\r\n", handshake.request(options({ host = "::1" })))
	end)

	it("refuses a token that would forge a header, or none", function()
		for _, token in ipairs({ "a\r\nX-Evil: 1", "two words", "", "caf\195\169" }) do
			local request, reason = handshake.request(options({ token = token }))
			assert.is_nil(request)
			assert.matches("townsfolk.token", reason, 1, true)
		end
	end)
end)

describe("handshake.accept", function()
	it("proves the key, as in RFC 6455, 1.3", function()
		assert.equal(vectors.accept, handshake.accept(vectors.key, net.sha1, net.base64))
	end)
end)

describe("handshake.response", function()
	for _, case in ipairs(vectors.cases) do
		local bytes = case.response .. net.unhex(case.rest)

		it("judges " .. case.name, function()
			local done, kind, text = response():feed(bytes)
			if case.refusal then
				assert.is_nil(done)
				assert.equal(case.refusal, kind)
				assert.is_true(#text > 10)
			else
				assert.is_true(done)
				assert.equal(net.unhex(case.rest), kind)
			end
		end)

		it("judges it byte by byte: " .. case.name, function()
			local r, done, kind = response(), false, nil
			for i = 1, #bytes do
				done, kind = r:feed(bytes:sub(i, i))
				if done ~= false then
					break
				end
			end
			if case.refusal then
				assert.is_nil(done)
				assert.equal(case.refusal, kind)
			else
				assert.is_true(done)
			end
		end)
	end

	it("tells the person what is wrong with a wrong token", function()
		local _, _, text = response():feed("HTTP/1.1 401 Unauthorized\r\n\r\n")
		assert.matches("^the token is wrong: ", text)
	end)

	it("refuses a header that is too long even when it comes whole", function()
		local long = vectors.cases[1].response:gsub("\r\n\r\n$", "\r\nX-Long: " .. ("a"):rep(8192) .. "\r\n\r\n")
		local done, kind, text = response():feed(long)
		assert.is_nil(done)
		assert.equal("protocol", kind)
		assert.matches("8192", text)
	end)

	it("waits for more while the header is not complete", function()
		assert.is_false(response():feed("HTTP/1.1 101 Switching Protocols\r\n"))
	end)

	it("survives 10,000 random answers", function()
		local random = net.random(5)
		for _ = 1, 10000 do
			local tail = random(random(1):byte())
			local r = response()
			r:feed("HTTP/1.1 101 ")
			r:feed(tail)
			r:feed("\r\n\r\n")
		end
	end)
end)

-- On real sockets of this machine.

local net = dofile("spec/support/net.lua")
local luasocket = require("socket")
local socket = net.load("net/socket").new(luasocket)

describe("socket", function()
	local listener, port, peer, other

	before_each(function()
		listener = assert(luasocket.bind("127.0.0.1", 0))
		listener:settimeout(5)
		port = select(2, listener:getsockname())
	end)

	after_each(function()
		for _, s in pairs({ listener, other, peer }) do
			s:close()
		end
		peer, other = nil, nil
	end)

	local function wait_for(condition)
		local deadline = luasocket.gettime() + 5
		while true do
			local result, reason = condition()
			if result or reason then
				return result, reason
			end
			assert(luasocket.gettime() < deadline, "not within 5 s")
			luasocket.sleep(0.002)
		end
	end

	local function connect()
		peer = assert(socket:connect("127.0.0.1", port))
		assert(wait_for(function() return peer:poll() end))
		other = assert(listener:accept())
	end

	it("connects without blocking, and stays connected when asked again", function()
		connect()
		assert.is_true(peer:poll())
		assert.is_true(peer.tcp:getoption("tcp-nodelay"))
	end)

	it("tells that nobody listens", function()
		listener:close()
		peer = assert(socket:connect("127.0.0.1", port))
		local connected, reason = wait_for(function() return peer:poll() end)
		assert.is_nil(connected)
		assert.equal("connection refused", reason)
	end)

	it("takes what fits, tells how far it came, and loses no byte", function()
		connect()
		local data = ("0123456789"):rep(2000000)
		local last = assert(peer:send(data, 1))
		assert.is_true(last > 0 and last < #data)
		assert.equal(last, peer:send(data, last + 1))
		other:settimeout(0)
		local parts, got = {}, 0
		while got < #data do
			local part, _, partial = other:receive(65536)
			part = part or partial
			got = got + #part
			parts[#parts + 1] = part
			if last < #data then
				last = assert(peer:send(data, last + 1))
			end
		end
		assert.is_true(data == table.concat(parts))
	end)

	it("reads nothing without waiting, what is there up to a limit, and the end after the last byte", function()
		connect()
		assert.equal("", peer:receive(100))
		other:send("abcdef")
		local first = wait_for(function()
			local data = assert(peer:receive(4))
			return data ~= "" and data
		end)
		assert.equal("abcd", first)
		other:close()
		local rest = ""
		local _, reason = wait_for(function()
			local data, why = peer:receive(4)
			rest = rest .. (data or "")
			return nil, why
		end)
		assert.equal("ef", rest)
		assert.equal("closed", reason)
	end)

	it("tells of a reset while sending", function()
		connect()
		other:setoption("linger", { on = true, timeout = 0 })
		other:close()
		local _, reason = wait_for(function()
			local sent, why = peer:send("x", 1)
			return nil, not sent and why or nil
		end)
		assert.is_string(reason)
	end)

	it("resolves numeric addresses and localhost, and says what to do about others", function()
		assert.equal("127.0.0.1", socket:resolve("localhost"))
		assert.equal("127.0.0.1", socket:resolve("127.0.0.1"))
		assert.equal("::1", socket:resolve("::1"))
		local address, reason = socket:resolve("no-such-host.invalid")
		assert.is_nil(address)
		assert.matches("numeric address", reason)
	end)

	it("stands in for a library that is not there", function()
		local none = net.load("net/socket").unavailable("LuaSocket is missing")
		local connected, reason = none:connect("127.0.0.1", port)
		assert.is_nil(connected)
		assert.equal("LuaSocket is missing", reason)
	end)
end)

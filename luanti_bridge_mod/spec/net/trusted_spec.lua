local load_trusted = dofile("src/net/trusted.lua")

describe("trusted", function()
	local real_require = require

	-- As under mod security: the global is out of use, the environment has the real one.
	local function environment(require_one)
		return { require = require_one or real_require, package = package }
	end

	local function closed()
		error("require() is disabled when mod security is on")
	end

	-- Runs with the global `require` as mod security leaves it, and tells whether it was put back so.
	local function under_security(ie)
		rawset(_G, "require", closed)
		local done, socket, second = pcall(load_trusted, ie)
		local after = rawget(_G, "require")
		rawset(_G, "require", real_require)
		assert(done, socket)
		assert.equal(closed, after)
		return socket, second
	end

	it("loads both libraries and gives `require` back closed", function()
		for name in pairs({ socket = 1, ["socket.core"] = 1, MessagePack = 1 }) do
			package.loaded[name] = nil
		end
		local socket, messagepack = under_security(environment())
		assert.is_function(socket.tcp4)
		assert.is_function(messagepack.unpack)
	end)

	it("has a MessagePack of its own, and leaves the shared one where it was", function()
		local shared = real_require("MessagePack")
		local _, private = under_security(environment())
		assert.is_true(private ~= shared)
		assert.equal(shared, real_require("MessagePack"))
	end)

	it("goes without MessagePack", function()
		local socket, messagepack = under_security(environment(function(name)
			return name ~= "MessagePack" and real_require(name) or error("module 'MessagePack' not found")
		end))
		assert.is_function(socket.tcp4)
		assert.is_nil(messagepack)
	end)

	it("says what to do without LuaSocket, and without trust", function()
		local socket, reason = under_security(environment(function() error("module 'socket' not found:\n\tno field", 0) end))
		assert.is_nil(socket)
		assert.matches("apt install lua%-socket.*module 'socket' not found:%)$", reason)
		socket, reason = under_security(nil)
		assert.is_nil(socket)
		assert.matches("secure.trusted_mods", reason, 1, true)
	end)
end)

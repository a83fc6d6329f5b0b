-- The only user of LuaSocket: addresses in, byte streams out, never blocking after `resolve`. Takes the library
-- as an argument and never touches `core`. Every result is a value; nothing here throws on what the network does.

local socket = {}

local Peer = {}
Peer.__index = Peer

-- The library reports a connect in progress as an error; these are its words for it, and for the success that
-- a repeated connect finds.
local IN_PROGRESS = { ["timeout"] = true, ["Operation already in progress"] = true, ["Operation now in progress"] = true }
local CONNECTED = { ["already connected"] = true, ["Transport endpoint is already connected"] = true }

-- True when connected, false while under way, nil and the reason when it failed.
function Peer:poll()
	if not self.connected then
		local done, reason = self.tcp:connect(self.address, self.port)
		if done or CONNECTED[reason] then
			self.connected = true
		elseif not IN_PROGRESS[reason] then
			return nil, reason
		end
	end
	return self.connected
end

-- Offers `bytes` from `offset` on. Returns the index of the last byte taken (`offset - 1` for none), or nil and
-- the reason when the connection is gone.
function Peer:send(bytes, offset)
	local last, reason, partial = self.tcp:send(bytes, offset)
	if last then
		return last
	elseif reason == "timeout" then
		return math.max(partial, offset - 1)
	end
	return nil, reason
end

-- Up to `max` bytes; "" when none are there; nil and the reason when the connection is gone. Bytes that came
-- before the end are handed out first.
function Peer:receive(max)
	local data, reason, partial = self.tcp:receive(max)
	data = data or partial or ""
	if data == "" and reason ~= "timeout" then
		return nil, reason
	end
	return data
end

function Peer:close()
	self.tcp:close()
end

local Socket = {}
Socket.__index = Socket

-- `library`: LuaSocket.
function socket.new(library)
	return setmetatable({ library = library }, Socket)
end

-- The numeric address of a host, or nil and the reason. Asks the name service, which can block: call it while the
-- server starts, never in a step.
function Socket:resolve(host)
	if host == "localhost" then
		return "127.0.0.1"
	end
	local found, reason = self.library.dns.getaddrinfo(host)
	if not found or not found[1] then
		return nil, "cannot resolve " .. host .. " (" .. tostring(reason) .. "): use its numeric address"
	end
	return found[1].addr
end

-- Begins to connect to a numeric address. Returns a peer to poll, or nil and the reason.
function Socket:connect(address, port)
	local tcp, reason
	if address:find(":", 1, true) then
		tcp, reason = self.library.tcp6()
	else
		tcp, reason = self.library.tcp4()
	end
	if not tcp then
		return nil, reason
	end
	tcp:settimeout(0)
	-- A chat line is one small packet: waiting to fill it up would cost the player 40 ms.
	tcp:setoption("tcp-nodelay", true)
	return setmetatable({ tcp = tcp, address = address, port = port, connected = false }, Peer)
end

local Unavailable = {}
Unavailable.__index = Unavailable

-- What stands in when there is no library, or no trust: every connect fails with that reason.
function socket.unavailable(reason)
	return setmetatable({ reason = reason }, Unavailable)
end

function Unavailable:resolve(host) -- luacheck: no self
	return host
end

function Unavailable:connect()
	return nil, self.reason
end

return socket

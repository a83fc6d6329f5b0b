-- The opening handshake of RFC 6455, the client's side: options in, a request out; the server's answer in, in
-- pieces of any size, and a verdict out. Pure: returns its module table, never touches `core`, does no I/O.
-- Refusals have a kind for the program and a text for the person.

local handshake = {}

local GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
local MAX_HEADER = 8192

local REFUSALS = {
	[401] = { "token", "the token is wrong: set `townsfolk.token` to the one that the runtime made on its first start" },
	[403] = { "forbidden", "the runtime does not admit this server: its log says why" },
	[404] = { "address", "there is no Townsfolk runtime at this address: check `townsfolk.host` and `townsfolk.port`" },
	[503] = { "busy", "the runtime has as many game servers as it takes" },
}

-- `sha1(data)` gives the raw twenty bytes, `base64(data)` their text.
function handshake.accept(key, sha1, base64)
	return base64(sha1(key .. GUID))
end

local function header_safe(text)
	return not text:find("[^\33-\126]")
end

-- `options`: host, port, path, key (base64 of sixteen random bytes), token, subprotocol.
-- Returns the bytes to send, or nil and the reason.
function handshake.request(options)
	if options.token == "" then
		return nil, "there is no token: set `townsfolk.token` to the one that the runtime made on its first start"
	elseif not header_safe(options.token) then
		return nil, "the token may hold only printable characters without spaces: check `townsfolk.token`"
	elseif not header_safe(options.host) or not header_safe(options.path) then
		return nil, "host or path hold characters that an address cannot have"
	end
	local host = options.host:find(":", 1, true) and "[" .. options.host .. "]" or options.host
	return table.concat({
		"GET " .. options.path .. " HTTP/1.1",
		"Host: " .. host .. ":" .. options.port,
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: " .. options.key,
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Protocol: " .. options.subprotocol,
		"Authorization: Bearer " .. options.token,
		"\r\n",
	}, "\r\n")
end

local Response = {}
Response.__index = Response

-- `accept`: what `handshake.accept` gave for the key sent; `subprotocol`: the one that was offered.
function handshake.response(accept, subprotocol)
	return setmetatable({ accept = accept, subprotocol = subprotocol, buffer = "" }, Response)
end

-- Names in small letters; a repeated header becomes one list, as HTTP has it.
local function parse_headers(lines)
	local headers = {}
	for line in lines:gmatch("([^\r\n]*)\r\n") do
		local name, value = line:match("^([%w!#$%%&'*+%-.^_`|~]+):[ \t]*(.-)[ \t]*$")
		if not name then
			return nil
		end
		name = name:lower()
		headers[name] = headers[name] and headers[name] .. ", " .. value or value
	end
	return headers
end

local function has_word(list, word)
	for entry in (list or ""):gmatch("[^,]+") do
		if entry:match("^%s*(.-)%s*$"):lower() == word then
			return true
		end
	end
	return false
end

function Response:judge(head)
	local status, lines = head:match("^HTTP/1%.1 (%d%d%d)[^\r\n]*\r\n(.*)$")
	local headers = status and parse_headers(lines)
	if not headers then
		return "protocol", "what answers there is no web server: check host and port"
	end
	status = tonumber(status)
	if status ~= 101 then
		local known = REFUSALS[status]
		if known then
			return known[1], known[2]
		end
		return "status", "the runtime answered with HTTP status " .. status .. " instead of 101"
	elseif not has_word(headers.upgrade, "websocket") or not has_word(headers.connection, "upgrade") then
		return "protocol", "the answer does not switch to WebSocket: check host and port"
	elseif headers["sec-websocket-accept"] ~= self.accept then
		return "protocol", "the answer does not belong to our request (Sec-WebSocket-Accept)"
	elseif headers["sec-websocket-extensions"] then
		return "protocol", "the runtime turned on an extension that was not offered"
	elseif headers["sec-websocket-protocol"] ~= self.subprotocol then
		return "version", "the runtime does not speak " .. self.subprotocol
			.. ": mod and runtime must be of the same release"
	end
	return nil
end

-- Takes the next bytes. Returns true and the bytes after the header when the handshake is done, false while the
-- header is incomplete, or nil, kind, text.
function Response:feed(data)
	self.buffer = self.buffer .. data
	local _, stop = self.buffer:find("\r\n\r\n", 1, true)
	if not stop or stop > MAX_HEADER then
		if #self.buffer > MAX_HEADER then
			return nil, "protocol", "the answer's header is longer than " .. MAX_HEADER .. " bytes: check host and port"
		end
		return false
	end
	local kind, text = self:judge(self.buffer:sub(1, stop - 2))
	if kind then
		return nil, kind, text
	end
	return true, self.buffer:sub(stop + 1)
end

return handshake

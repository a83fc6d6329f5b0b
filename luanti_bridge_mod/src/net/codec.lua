-- Messages (Lua tables) in, wire bytes out, and back. MessagePack by the given library, else JSON: written here,
-- because the engine's own writer turns empty lists into `null`, and read by the engine's parser. Pure: returns
-- its module table, never touches `core`. Neither direction ever throws: what cannot be sent or understood is
-- nil and the reason. NaN, infinities, text that is not UTF-8 and deep nesting pass in neither direction.

local codec = {}

local floor, huge = math.floor, math.huge

codec.SUBPROTOCOL_MSGPACK = "townsfolk.v1+msgpack"
codec.SUBPROTOCOL_JSON = "townsfolk.v1+json"

local MAX_DEPTH = 8

-- Lua has one empty table where the wire has two. Under these names a table is always a list; everywhere else an
-- empty one is a map, and one with the keys 1..n a list. A test compares these names with the message types.
codec.LISTS = {
	events = true, inputs = true, inventory = true, items = true, near = true, npcs = true, players = true,
	recipes = true,
}

local survey

local function survey_table(value, field, depth, lists, valid_utf8)
	if depth > MAX_DEPTH then
		return "nested deeper than " .. MAX_DEPTH
	end
	local count, numbered = 0, 0
	local entry_name = field .. "[]"
	for key, entry in pairs(value) do
		count = count + 1
		local name = entry_name
		if type(key) == "number" then
			numbered = numbered + 1
		elseif type(key) ~= "string" then
			return "a key of `" .. field .. "` is a " .. type(key)
		elseif not valid_utf8(key) then
			return "a key of `" .. field .. "` is not UTF-8"
		else
			name = key
		end
		local problem = survey(entry, name, depth + 1, lists, valid_utf8)
		if problem then
			return problem
		end
	end
	if numbered > 0 or codec.LISTS[field] then
		if numbered ~= count or #value ~= count then
			return "`" .. field .. "` is neither a list without holes nor a map"
		end
		lists[value] = true
	end
	return nil
end

-- Why `value` cannot be on the wire, or nil. Notes in `lists` which of its tables are lists.
function survey(value, field, depth, lists, valid_utf8)
	local kind = type(value)
	if kind == "table" then
		return survey_table(value, field, depth, lists, valid_utf8)
	elseif kind == "string" then
		return not valid_utf8(value) and "`" .. field .. "` is not UTF-8" or nil
	elseif kind == "number" then
		return (value ~= value or value == huge or value == -huge) and "`" .. field .. "` is not a finite number" or nil
	elseif kind ~= "boolean" then
		return "`" .. field .. "` is a " .. kind
	end
	return nil
end

local function survey_message(message, valid_utf8)
	if type(message) ~= "table" or type(message.type) ~= "string" then
		return nil, "not a map with a `type`"
	end
	local lists = {}
	local problem = survey(message, "message", 1, lists, valid_utf8)
	if problem then
		return nil, problem
	elseif lists[message] then
		return nil, "not a map with a `type`"
	end
	return lists
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
	return '"' .. text:gsub('[%c"\\]', function(c)
		return ESCAPES[c] or ("\\u%04x"):format(c:byte())
	end) .. '"'
end

local function write_json(value, lists)
	local kind = type(value)
	if kind == "string" then
		return quote(value)
	elseif kind == "number" then
		-- Whole numbers without a point: the reader's fields are integers.
		return (value == floor(value) and math.abs(value) < 2 ^ 53 and "%.0f" or "%.17g"):format(value)
	elseif kind == "boolean" then
		return tostring(value)
	end
	local parts = {}
	if lists[value] then
		for i = 1, #value do
			parts[i] = write_json(value[i], lists)
		end
		return "[" .. table.concat(parts, ",") .. "]"
	end
	for key, entry in pairs(value) do
		parts[#parts + 1] = quote(key) .. ":" .. write_json(entry, lists)
	end
	return "{" .. table.concat(parts, ",") .. "}"
end

local function count_keys(value)
	local n = 0
	for _ in pairs(value) do
		n = n + 1
	end
	return n
end

-- The options belong to this instance of the library: `trusted.lua` loads one that nobody else has.
local function msgpack_writer(library)
	library.set_string("string")
	library.set_integer("unsigned")
	library.set_number("double")
	local lists
	library.packers["table"] = function(buffer, value)
		if lists[value] then
			library.packers["array"](buffer, value, #value)
		else
			library.packers["map"](buffer, value, count_keys(value))
		end
	end
	return function(message, message_lists)
		lists = message_lists
		return library.pack(message)
	end
end

local Codec = {}
Codec.__index = Codec

-- `options`: messagepack (a private copy of the MessagePack library, or nil for JSON), parse_json(text) → value,
-- valid_utf8(text) → boolean. The result has `subprotocol`, `binary` (the frame's kind), and the methods below.
function codec.new(options)
	local self = setmetatable({
		valid_utf8 = options.valid_utf8,
		parse_json = options.parse_json,
		binary = options.messagepack ~= nil,
		subprotocol = codec.SUBPROTOCOL_JSON,
		write = write_json,
		read = options.parse_json,
	}, Codec)
	if options.messagepack then
		self.subprotocol = codec.SUBPROTOCOL_MSGPACK
		self.write = msgpack_writer(options.messagepack)
		self.read = options.messagepack.unpack
	end
	return self
end

function Codec:encode_with(write, message)
	local lists, problem = survey_message(message, self.valid_utf8)
	if not lists then
		return nil, "message not sent: " .. problem
	end
	local done, bytes = pcall(write, message, lists)
	if not done then
		return nil, "message not sent: " .. tostring(bytes)
	end
	return bytes
end

function Codec:decode_with(read, bytes)
	local done, message = pcall(read, bytes)
	if not done then
		return nil, "message not understood: " .. tostring(message)
	end
	local checked, lists, problem = pcall(survey_message, message, self.valid_utf8)
	if not checked or not lists then
		return nil, "message not understood: " .. tostring(checked and problem or lists)
	end
	return message
end

-- The message as wire bytes, or nil and the reason.
function Codec:encode(message)
	return self:encode_with(self.write, message)
end

-- Wire bytes as a message, or nil and the reason.
function Codec:decode(bytes)
	return self:decode_with(self.read, bytes)
end

-- The same as text that storage can keep, whatever the wire speaks.
function Codec:to_json(message)
	return self:encode_with(write_json, message)
end

function Codec:from_json(text)
	return self:decode_with(self.parse_json, text)
end

return codec

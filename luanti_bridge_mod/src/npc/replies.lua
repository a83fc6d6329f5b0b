-- The pieces of one reply come in, in whatever order; sentences to say and the growing line go out. Pure:
-- `text` is passed in. A piece twice counts once; a piece that is missing at the end is filled from the whole.

local mod = ...
local text = mod.text

local replies = {}

local MAX_PIECE = 500
local MAX_REPLY = 2000
local MAX_WAITING = 64

local Reply = {}
Reply.__index = Reply

--- An empty reply. `said` is what went to the chat, `open` the sentence that still grows.
function replies.new()
	return setmetatable({ next = 0, waiting = {}, waiting_count = 0, said = "", open = "" }, Reply)
end

local function join(a, b)
	return a == "" and b or b == "" and a or (a .. " " .. b)
end

-- Closes the open sentence; returns it, or nil when there is nothing to say.
local function close(self)
	local sentence = text.line(self.open, MAX_REPLY)
	self.open = ""
	if sentence == "" then
		return nil
	end
	self.said = join(self.said, sentence)
	return sentence
end

local function apply(self, piece, sentences)
	if #self.said + #self.open <= MAX_REPLY then
		self.open = self.open .. text.clean(piece.text, MAX_PIECE)
	end
	if piece.sentence == true then
		sentences[#sentences + 1] = close(self)
	end
end

--- Take one `ReplyDelta`. Returns the sentences that are complete now, and whether the reply moved on.
function Reply:take(piece)
	local sentences = {}
	if type(piece.n) ~= "number" or piece.n < self.next or self.waiting[piece.n] then
		return sentences, false
	end
	if piece.n > self.next then
		if self.waiting_count < MAX_WAITING then
			self.waiting[piece.n] = piece
			self.waiting_count = self.waiting_count + 1
		end
		return sentences, false
	end
	repeat
		apply(self, piece, sentences)
		self.next = self.next + 1
		piece = self.waiting[self.next]
		if piece then
			self.waiting[self.next] = nil
			self.waiting_count = self.waiting_count - 1
		end
	until not piece
	return sentences, true
end

--- Say what is open now, complete or not. Returns it, or nil.
function Reply:flush()
	return close(self)
end

--- The end: `whole` is the reply's text. Returns what of it still has to be said, or nil.
function Reply:finish(whole)
	whole = text.line(whole, MAX_REPLY)
	self.waiting, self.waiting_count = {}, 0
	local so_far = join(self.said, text.line(self.open, MAX_REPLY))
	if #whole > #so_far and whole:sub(1, #so_far) == so_far then
		-- Some pieces never came; the whole has them.
		self.open = self.said == "" and whole or whole:sub(#self.said + 1)
	end
	return close(self)
end

--- All of the reply so far, as one line.
function Reply:whole()
	return join(self.said, text.line(self.open, MAX_REPLY))
end

--- Whether anything has been said in the chat.
function Reply:has_spoken()
	return self.said ~= ""
end

return replies

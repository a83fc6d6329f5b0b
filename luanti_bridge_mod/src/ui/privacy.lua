-- A player's choice about training with their talk comes in; a kept message for the runtime, and what the player is
-- told, go out. Pure: what it needs of the engine stands in `mod`. Nobody is nagged: the question comes once.

local mod = ...
local S = mod.S

local privacy = {}

local CHOICES = { allow = true, withdraw = true, erase = true }

-- What holds on this server for who has not decided; as of the last welcome.
local DEFAULT_KEY = "privacy.default"

local function choice_key(player_name)
	return "privacy.choice." .. player_name
end

local function asked_key(player_name)
	return "privacy.asked." .. player_name
end

--- The handler of `welcome`.
function privacy.on_welcome(message)
	local default = message.consent == "opt-out" and "opt-out" or "ask"
	if mod.storage:get_string(DEFAULT_KEY) ~= default then
		mod.storage:set_string(DEFAULT_KEY, default)
	end
end

function privacy.default()
	return mod.storage:get_string(DEFAULT_KEY) == "opt-out" and "opt-out" or "ask"
end

--- What that player decided last: `allow`, `withdraw`, `erase`, or nil.
function privacy.choice(player_name)
	local choice = mod.storage:get_string(choice_key(player_name))
	return CHOICES[choice] and choice or nil
end

local function standing(player_name)
	local choice = privacy.choice(player_name)
	if choice == "allow" then
		return S("You allowed training with your talk.")
	elseif choice == "erase" then
		return S("You had your talk erased, and nothing of it is trained on.")
	elseif choice == "withdraw" then
		return S("You did not allow training with your talk.")
	elseif privacy.default() == "opt-out" then
		return S("You have not decided. This server trains with the talk of everybody who does not withdraw.")
	end
	return S("You have not decided. Until you do, nothing of your talk is trained on.")
end

--- What `/npc privacy` shows.
function privacy.text(player_name)
	return table.concat({
		S("Stored here, filed under a made-up name: what you say to NPCs, their replies, your ratings;"),
		S("also what you dig, place, craft and hit, your comings, goings and deaths, and where that was."),
		S("These texts hold your name where an NPC read it."),
		S("It goes nowhere else. What may be used trains the NPCs of this server every night."),
		standing(player_name),
		S("/npc privacy allow: use my talk. /npc privacy withdraw: do not. /npc privacy erase: remove what I said, too."),
		S("NPCs answer you in any case."),
	}, "\n")
end

local ANSWERS = {
	allow = S("Thank you. Your talk may make the NPCs better. /npc privacy withdraw takes that back."),
	withdraw = S("Noted: your talk is kept out of the training from now on. NPCs answer you as before."),
	erase = S("Noted: what you said to NPCs is being removed, and your talk is kept out of the training."),
}

--- Note a player's choice. Returns whether it could be kept, and what to tell the player.
function privacy.choose(player_name, choice)
	if not CHOICES[choice] then
		return false, S("Use: /npc privacy, or /npc privacy allow, withdraw or erase")
	elseif not mod.keeping.keep("consent", { player = player_name, choice = choice }) then
		return false, S("Your choice could not be kept just now. Please try again later.")
	end
	mod.storage:set_string(choice_key(player_name), choice)
	if choice == "erase" then
		mod.talks.drop_player(player_name)
		mod.events.drop_player(player_name)
	end
	mod.log("action", ("%s decides about training with their talk: %s"):format(player_name, choice))
	return true, ANSWERS[choice]
end

--- A player got a reply: ask for consent, the first time only, and only where it has to be asked for.
function privacy.ask_once(player_name)
	if privacy.default() ~= "ask" or privacy.choice(player_name)
		or mod.storage:get_string(asked_key(player_name)) ~= "" then
		return
	end
	mod.storage:set_string(asked_key(player_name), "1")
	mod.tell(player_name, S("May your talk with NPCs be used to make them better? /npc privacy allow; /npc privacy tells more."))
end

return privacy

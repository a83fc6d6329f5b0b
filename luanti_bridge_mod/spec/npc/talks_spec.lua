-- Who hears what of a reply, and what the open form shows of it. Whole talks are played in a real server.

local part = dofile("spec/support/part.lua")

local MIRA = { id = "01JQ0000000000000000000001", name = "Mira", persona = "mira", pos = { x = 0, y = 0, z = 0 } }

describe("talks", function()
	local talks, heard, overhead, sent, refreshed, clock

	before_each(function()
		heard, overhead, sent, refreshed, clock = {}, nil, {}, 0, 100
		local players = {}
		for index, name in ipairs({ "alice", "bob" }) do
			players[index] = {
				get_player_name = function() return name end,
				get_pos = function() return { x = 1, y = 0, z = 0 } end,
			}
		end
		_G.core = {
			get_connected_players = function() return players end,
			get_player_by_name = function(name) return name == "alice" and players[1] or players[2] end,
			check_player_privs = function() return true end,
			chat_send_player = function(name, line) heard[#heard + 1] = name .. " " .. line end,
		}
		local body = {
			object = { get_pos = function() return MIRA.pos end },
			attend = function() end,
			set_overhead = function(_, words) overhead = words end,
		}
		local mod = {
			now = function() return clock end,
			new_id = function() return ("01JD%022d"):format(#sent + 1) end,
			log = function() end,
			stats = { count = function() end },
			settings = { hearing_distance = 12, reply_deadline = 7.5 },
			tasks = { doing = function() return "" end },
			privacy = { ask_once = function() end },
			npcs = { body = function() return body end, problem = function() end },
			cards = { line = function(_, kind) return kind end },
			snapshot = { take = function() return {} end },
			dialog = { refresh = function() refreshed = refreshed + 1 end },
			link = {
				send = function(_, message)
					sent[#sent + 1] = message
					return true
				end,
				down_for = function() return 0 end,
			},
			text = part("game/text"),
		}
		mod.bearings = part("game/bearings", mod)
		mod.speech, mod.pace, mod.replies = part("npc/speech", mod), part("npc/pace", mod), part("npc/replies", mod)
		talks = part("npc/talks", mod)
		talks.begin("alice", MIRA, "hello", "form")
	end)

	after_each(function()
		_G.core = nil
	end)

	local function done(source)
		local asked = sent[#sent]
		talks.on_done({
			reply = "r", chat = asked.id, npc = asked.npc, player = "alice", text = "Gently, friend.", source = source,
		})
	end

	it("are heard by all who stand near", function()
		done("model")
		assert.same({ "alice <Mira> Gently, friend.", "bob <Mira> Gently, friend." }, heard)
		assert.equal("Gently, friend.", overhead)
	end)

	it("tell only the hasty to slow down, as the runtime does, too", function()
		done("slow_down")
		assert.same({ "alice <Mira> Gently, friend." }, heard)
		assert.equal("", overhead)
	end)

	it("show in the form that a reply ended in the middle", function()
		local asked = sent[1]
		talks.on_delta({
			reply = "r", chat = asked.id, npc = asked.npc, player = "alice", n = 0, text = "Good day.", sentence = true,
		})
		local before = refreshed
		clock = 120
		talks.step(clock)
		assert.equal(before + 1, refreshed)
	end)
end)

-- Written by `python -m exporters.actions` from agent_runtime/npc/actions.py; change it there.
-- The actions, their typed arguments and limits, as the mod checks them. Distances in nodes.

return {
	max_count = 99,
	max_seconds = 600,
	max_text = 200,
	directions = {
		"north",
		"north-east",
		"east",
		"south-east",
		"south",
		"south-west",
		"west",
		"north-west",
		"up",
		"down",
	},
	emotes = {
		"wave",
		"nod",
		"shake_head",
		"bow",
		"dance",
		"sit",
		"cheer",
		"shrug",
	},
	actions = {
		move = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "direction", kind = "direction", required = true },
			},
		},
		go_to = {
			reach = 200,
			executed = true,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		follow = {
			reach = 64,
			executed = true,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		stop = {
			reach = 0,
			executed = true,
			arguments = {},
		},
		look_at = {
			reach = 200,
			executed = true,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		wander = {
			reach = 0,
			executed = false,
			arguments = {},
		},
		flee = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		guard = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		attack = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "target", kind = "target", required = true },
			},
		},
		dig = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		place = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "item", kind = "item", required = true },
				{ name = "target", kind = "target", required = false },
			},
		},
		collect = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "item", kind = "item", required = false },
			},
		},
		craft = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "item", kind = "item", required = true },
				{ name = "count", kind = "count", required = false },
			},
		},
		give = {
			reach = 8,
			executed = true,
			arguments = {
				{ name = "item", kind = "item", required = true },
				{ name = "count", kind = "count", required = false },
				{ name = "target", kind = "target", required = false },
			},
		},
		take = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "item", kind = "item", required = true },
				{ name = "count", kind = "count", required = false },
				{ name = "target", kind = "target", required = false },
			},
		},
		trade = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "item", kind = "item", required = true },
				{ name = "count", kind = "count", required = false },
				{ name = "for", kind = "item", required = true },
			},
		},
		use = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "item", kind = "item", required = true },
				{ name = "target", kind = "target", required = false },
			},
		},
		open = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		emote = {
			reach = 0,
			executed = true,
			arguments = {
				{ name = "kind", kind = "emote", required = true },
			},
		},
		whisper = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "target", kind = "target", required = false },
			},
		},
		remember = {
			reach = 0,
			executed = false,
			arguments = {},
		},
		ask_help = {
			reach = 0,
			executed = false,
			arguments = {
				{ name = "text", kind = "text", required = false },
			},
		},
	},
}

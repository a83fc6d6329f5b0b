std = "luajit"
max_line_length = 130
globals = { "townsfolk" }
read_globals = {
	"core", "player_api", "ItemStack", "PcgRandom", "PseudoRandom", "SecureRandom", "Settings", "VoxelArea", "dump", "vector",
	string = { fields = { "split", "trim" } },
	table = { fields = { "copy", "indexof", "insert_all", "shuffle" } },
	math = { fields = { "hypot", "round", "sign" } },
}
files["spec"] = { std = "+busted" }

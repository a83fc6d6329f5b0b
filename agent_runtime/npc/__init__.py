"""One turn of talk: a player's line and the state of the world come in; words and allowed actions go out.

Everything here is pure or takes its clock, randomness and engine as arguments."""

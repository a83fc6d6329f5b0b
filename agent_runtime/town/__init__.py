"""The people of all game servers: typed messages come in, each line is answered in its turn; replies and
actions go back, and rows go to the journal. It never touches a socket, the model or the database."""

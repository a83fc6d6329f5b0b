"""The game's end of the wire: bytes from game servers come in, typed messages go out, and back.

The only package that imports `websockets`; it knows nothing of prompts, models or the journal."""

"""Chat messages come in, tokens stream out: llama.cpp behind one thread, many talks in one batch."""

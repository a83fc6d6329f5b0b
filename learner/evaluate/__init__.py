"""A champion, a challenger's GGUF adapter and a dataset come in; measured evidence for the gate goes out.

Both sides answer in one serving engine, as players would meet them; nothing is decided here."""

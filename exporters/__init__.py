"""Trained weights come in; the files that the serving engine opens go out. Nothing is trained here."""

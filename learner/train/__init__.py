"""Examples and a base model come in; a LoRA adapter in PEFT's form and a record of the run go out.

Every run starts from the base, never from an earlier adapter; nothing is exported or judged here."""

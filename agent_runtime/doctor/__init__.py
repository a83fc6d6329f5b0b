"""`townsfolk doctor`: settings, the machine and the model come in; findings with their advice go out.
It changes nothing."""

"""A corpus or a snapshot of journaled talk comes in; model weights and an evaluation of them go out.

Nothing here is imported by the runtime."""

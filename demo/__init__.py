"""A real Luanti server in a scratch world, headless players over the real protocol, and a scripted scene.

What `make demo`, `make play`, the in-game tests and the benchmarks share; never imported by the product."""

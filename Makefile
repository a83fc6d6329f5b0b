# Everything runs from a checkout: `make demo` shows the product, `make test` proves it.
# State goes to the platform's data folder or to build/, never into the sources.

PYTHON ?= python3
VENV ?= .venv
# More for pip, e.g. PIP_FLAGS="--extra-index-url https://download.pytorch.org/whl/cpu" for a torch without CUDA.
PIP_FLAGS ?=

# GCC 12 leaves out the stores that _tile_loadconfig reads, so that llama.cpp's AMX code dies by SIGILL: it is built
# without. CPUs that have no AMX lose nothing.
COMPILED := CFLAGS="$(CFLAGS) -U__AMX_INT8__" CXXFLAGS="$(CXXFLAGS) -U__AMX_INT8__"

BIN := $(VENV)/bin
PIP := $(COMPILED) $(BIN)/python -m pip install --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt

# What the runtime, the demo and the build of llama-cpp-python need, and what the tests need beside it.
PACKAGES := python3-venv gcc g++ make luanti-server|minetest-server lua-socket lua-messagepack
MOD_TEST_PACKAGES := lua-busted lua-check luajit
TEST_PACKAGES := $(MOD_TEST_PACKAGES) debootstrap

.DEFAULT_GOAL := help
.PHONY: eval-cases corpus-counts help install install-learn install-dev demo scene play test test-slow test-luanti mod-test check base actions bench-game bench-base bench-engine bench-loop gpu-check picture clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## install what the runtime and the demo need (apt packages as root, a venv)

install-learn: $(VENV)/.installed-learn ## install what learning needs, too

install-dev: $(VENV)/.installed-dev ## install what tests, checks and training need, too

$(VENV)/.installed: pyproject.toml constraints.txt
	tools/debian_packages.sh $(foreach package,$(PACKAGES),'$(package)')
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@echo "Installing Python packages. llama-cpp-python is compiled once: about 8 minutes on two cores."
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-learn: $(VENV)/.installed
	$(PIP) --editable '.[learn]'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	tools/debian_packages.sh $(TEST_PACKAGES)
	$(PIP) --editable '.[dev,learn]'
	touch $@

demo: install-learn ## a real Luanti server, the runtime, a scripted player; and a night that learns from 64 players
	$(BIN)/python -m demo

scene: install ## the first half minute of it: one conversation in the game, then the journal; needs no PyTorch
	$(BIN)/python -m demo scene

play: install ## the demo's world, staying up for you: join with a Luanti client (ADDRESS=0.0.0.0 lets others in; PORT=)
	$(BIN)/python -m demo play $(if $(ADDRESS),--address $(ADDRESS)) $(if $(PORT),--port $(PORT))

test: install-dev mod-test ## everything that takes no more than minutes
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: install-dev ## what make test leaves out: whole nights on the real base, the demo's among them; half an hour
	$(BIN)/python -m pytest -m slow

test-luanti: install-dev ## the scenes in the game, on Luanti 5.6.1, 5.10 and 5.15.2 (as root)
	$(BIN)/python -m pytest tests/luanti --engines all

mod-test: ## the mod's own specs and its lint
	tools/debian_packages.sh $(MOD_TEST_PACKAGES)
	cd luanti_bridge_mod && busted
	cd luanti_bridge_mod && luacheck --quiet .

check: install-dev ## lint, format, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	cd luanti_bridge_mod && luacheck --quiet .

base: install-dev ## train the embedded model from nothing (half a day; with a CUDA GPU a larger one)
	$(BIN)/python -m learner.base --out data/base

eval-cases: install-dev ## write the evaluation's cases in data/eval anew, after a change of the prompt or the corpus
	$(BIN)/python -m learner.base.casefiles

corpus-counts: install-dev ## the counts of the corpus's data card
	$(BIN)/python -m learner.base.counts

actions: install ## write the mod's table of actions from agent_runtime/npc/actions.py
	$(BIN)/python -m exporters.actions

bench-game: install ## times in the game, into benchmarks/results/game.json
	$(BIN)/python -m benchmarks.game

bench-base: install-dev ## the embedded base's evaluation and what a small LoRA changes, into benchmarks/results/base.json
	$(BIN)/python -m benchmarks.base

bench-loop: install-dev ## nights, swaps, noise and poison (hours; ONLY=night is one night), into benchmarks/results/loop.json
	$(BIN)/python -m benchmarks.loop $(if $(ONLY),--only $(ONLY))

bench-engine: install-dev ## the engine beside its peers (30 minutes), into benchmarks/results/engine.json; SERVER=URL, SERVER_0P5B=URL add one
	$(BIN)/python -m benchmarks.engine $(if $(SERVER),--server $(SERVER)) $(if $(SERVER_0P5B),--server-0p5b $(SERVER_0P5B))

gpu-check: install-dev ## QLoRA on a CUDA GPU, unsloth and peft side by side (needs .[gpu]), into benchmarks/results/gpu.json
	$(BIN)/python -m benchmarks.gpu

picture: install ## the real client with an NPC that answers, into docs/images/client.png (needs X programs)
	$(BIN)/python -m tools.client_picture

clean: ## remove what tests and builds left
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

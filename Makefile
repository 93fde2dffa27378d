# Two commands set everything up: `make run` (two campaigns) and `make test` (the whole suite).
# `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Without --no-compile most of the time goes into compiling what is never imported.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --no-compile
# But what the help and the lists load is compiled, ours and others': where Python may not write
# bytecode, as in many containers, every command would compile it again.
LISTED := annotated_doc annotated_types attr greenlet markdown_it mdurl orjson pydantic \
  pydantic_core pygments rich shellingham sqlalchemy typer typing_extensions.py typing_inspection \
  yaml
COMPILE = $(BIN)/python -m compileall -q orchestrator adapters db flows \
  $(addprefix $(VENV)/lib/python3*/site-packages/,$(LISTED))
LOCK := constraints.txt
JOBS ?= 2

# Test processes share the cores: one thread of the mathematics each.
test check faults bench bench-full bench-history bench-doors: export OMP_NUM_THREADS = 1

.DELETE_ON_ERROR:
.PHONY: help run test check lint faults bench bench-full bench-history bench-doors lock wheel clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

run: $(VENV)/.run  ## create the environment and the database, run the two default campaigns
	$(BIN)/assayloop db upgrade
	$(BIN)/assayloop run --new examples/drug-like.yaml examples/digit-four.yaml

test: $(VENV)/.dev  ## the whole suite, on $(JOBS) processes
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal $(ARGS)

check: lint  ## lint and the unit tests: under a minute
	$(BIN)/python -m pytest --numprocesses $(JOBS) --quiet -m "not slow" tests/unit

lint: $(VENV)/.dev  ## style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

faults: $(VENV)/.dev  ## kill a campaign at 200 numbered boundaries and compare how it ends
	$(BIN)/python -m benchmarks.faults $(ARGS)

bench: $(VENV)/.dev  ## what the default campaigns reach, over five seeds, and their rivals, over one
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.rivals

bench-full: $(VENV)/.dev  ## the same over every seed and target
	$(BIN)/python -m benchmarks.run --full
	$(BIN)/python -m benchmarks.rivals --full

bench-history: $(VENV)/.dev  ## what the ledger costs, and verifying a million entries
	$(BIN)/python -m benchmarks.history --full

bench-doors: $(VENV)/.dev  ## how long the help and the lists take, and took before
	$(BIN)/python -m benchmarks.doors $(ARGS)

lock:  ## resolve pyproject.toml anew into constraints.txt
	$(PYTHON) -m venv --upgrade-deps $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet '.[dev]'
	{ sed '/^[^#]/,$$d' $(LOCK); \
	  $(VENV)-lock/bin/python -m pip freeze --exclude assayloop | sed 's/+[^ ]*$$//'; } > $(LOCK).new
	mv $(LOCK).new $(LOCK)
	rm -rf $(VENV)-lock

wheel: $(VENV)/.dev  ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean:  ## remove the environment and what was built; campaigns (.assayloop) stay
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: a step runs again only when what it was made from has changed.

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "assayloop needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv --upgrade-deps $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.python pyproject.toml $(LOCK)
	@echo "Installing assayloop and what it needs (about 2 GB) into $(VENV) ..."
	$(PIP) --constraint $(LOCK) --editable .
	$(COMPILE)
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml $(LOCK)
	$(PIP) --constraint $(LOCK) --editable '.[dev]'
	$(COMPILE)
	@touch $@ $(VENV)/.run

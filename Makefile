# The two commands: `make demo` opens the desk on a simulated weekend, `make test` runs the tests. Both set up first.
PYTHON ?= python3
VENV ?= .venv
# Extras beside the tests' own tools: `make test EXTRAS=dev,oracle,recipes` compares every answer with ClickHouse as well,
# and plays the recipes of every provider.
EXTRAS ?= dev
# Files of tests that run side by side.
# Three on two cores: a test that waits for a jail, a terminal or a server leaves its core to another.
JOBS ?= 3
BIN := $(VENV)/bin

.PHONY: demo test torture lint bench wheel-check clean

demo: $(VENV)/.app
	$(BIN)/loopdesk demo

test: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

# Engines and workers killed at random moments; SEED=N repeats a run, SECONDS=N makes it longer.
torture: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m tests.torture $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS))
	$(BIN)/python -m tests.torture_workers $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS))
	$(BIN)/python -m tests.torture_fixes $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS))

lint: $(VENV)/.$(EXTRAS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(VENV)/.$(EXTRAS)
	$(BIN)/python -m bench

# The wheel in an empty environment, with an empty home, as who installs it meets it.
wheel-check: $(VENV)/bin/python
	$(BIN)/python -m tests.wheel_check

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "loopdesk needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	$(BIN)/python -m compileall -q workspace queries engine observability tui themes
	touch $@

$(VENV)/.$(EXTRAS): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	$(BIN)/python -m compileall -q workspace queries engine observability tui themes
	touch $@ $(VENV)/.app

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

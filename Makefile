# Set-up and daily work. `make` alone lists the targets.
# Nothing here needs root: everything is installed into .venv.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
DOCUMENT ?= desired-state.example.yaml
# How many seeds `make simulate` plays, and the first of them.
SEEDS ?= 20000
FIRST ?= 0
# Processes that run tests side by side; each may hold a daemon and its workers.
JOBS ?= auto
# The first Python that is new enough; `make PYTHON=/path/to/python3 serve` names another.
PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$each && break; done)

.PHONY: help serve test simulate lint schema bench clean

help:
	@echo "make serve    install lmxd into .venv and serve $(DOCUMENT)"
	@echo "make test     install what tests need and run all of them"
	@echo "make simulate play SEEDS=$(SEEDS) histories of a simulated machine, in JOBS=$(JOBS) processes"
	@echo "make lint     ruff, import-linter, mypy"
	@echo "make schema   write the generated files anew"
	@echo "make bench    measure lmxd beside mlx-lm"
	@echo "make clean    remove .venv and caches"

serve: $(VENV)/.installed
	exec $(BIN)/lmxd serve $(DOCUMENT)

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n $(JOBS) --dist loadfile

simulate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --jobs $(JOBS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

schema: $(VENV)/.installed
	$(BIN)/python -m lmxd.desired.generate
	$(BIN)/python -m lmxd.http.reference

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.joining

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The stamps are older than their inputs when something has to be installed again.
$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "lmxd needs Python 3.11 or later: install it, or name it" \
		"with make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"lmxd needs Python 3.11 or later, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip >= 25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev
	touch $@

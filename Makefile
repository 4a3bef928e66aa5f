# The two commands a newcomer needs: `make demo` and `make test`. Everything stays inside this clone, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 4
# Processes that tests start by the dozen must not compile the tool each time.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/pytest

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types rewritten unit search torture contention bench mutants format clean

help:  ## What can be made
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Installed once; again only when what is installed changes.
$(READY): pyproject.toml constraints.txt statetool/__init__.py
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "statetool needs Python 3.11 or newer; name one with make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[serve,postgres,s3,dev]'
	@touch $@

demo: $(READY)  ## The main job on the built-in sandbox: plan, apply, drift, correct
	@$(BIN)/statetool demo

test:  ## Everything CI checks
	@$(MAKE) --no-print-directory -j2 lint types rewritten
	@$(MAKE) --no-print-directory unit

check: lint types

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(READY)
	@$(BIN)/mypy

# pytest rewrites every assertion when it loads a test: once, for all workers, while mypy needs one core only.
rewritten: $(READY)
	@$(PYTEST) -q --collect-only > /dev/null 2>&1 || true  # what is wrong is told by the run itself

unit: $(READY)
	@$(PYTEST) -q -n $(WORKERS) --dist loadgroup

search: $(READY)  ## The property tests with ten times the examples; minutes, not seconds
	@STATETOOL_TEST_FACTOR=10 $(PYTEST) -q -n $(WORKERS) tests/property tests/sandbox/test_openapi_fuzz.py tests/sandbox/test_switches_random.py

torture: $(READY)  ## The fault harness: every effect failing in turn, 20,000 random runs, every rule switched off
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python tests/torture/torture.py

contention: $(READY)  ## Thirty rounds of sixteen processes for the lock of each backend
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m benches.contention

bench: $(READY)  ## Wall and CPU seconds, memory and requests for 1,000 and 15,000 components
	@$(BIN)/python benches/bench.py

mutants: $(READY)  ## Whether a test notices when planner or diff are wrong: thousands of small changes; minutes
	@$(BIN)/python benches/mutants.py

format: $(READY)
	@$(BIN)/ruff check --fix -q .
	@$(BIN)/ruff format -q .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist

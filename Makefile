# Two commands matter: make demo, make test. Both make .venv from the locked list first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format bench lock audit clean

demo: $(VENV)/demo.stamp
	@$(BIN)/consulta demo

test: $(VENV)/dev.stamp
	@sh .ci/check

check: test

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/dev.stamp
	@$(BIN)/pytest tests/benchmarks --benchmark-enable --benchmark-only -p no:randomly
	@$(BIN)/python -m tests.benchmarks

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "consulta needs Python 3.11 or later; '$(PYTHON)' is not. Install it, or say which: make demo PYTHON=python3.12" >&2; exit 1; }
	@echo "· making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "This Python has no venv module. On Debian or Ubuntu: sudo apt install python3-venv; then run make again." >&2; exit 1; }
	@touch $@

$(VENV)/demo.stamp: $(VENV)/python.stamp requirements.txt pyproject.toml
	@echo "· installing the pinned packages (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt || \
	  { echo "The packages could not be installed: is there a connection to the package index? Then run make again." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp requirements-dev.txt
	@echo "· installing the pinned packages for the tests"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt || \
	  { echo "The packages could not be installed: is there a connection to the package index? Then run make again." >&2; exit 1; }
	@touch $@

# uv writes one list for every platform and Python from 3.11 on
lock:
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" pyproject.toml build.in -o requirements.txt
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command "make lock" pyproject.toml --extra dev build.in -c requirements.txt -o requirements-dev.txt
	@rm -rf .venv-lock

# known vulnerabilities of the pinned packages; the checks do the same, and go on without a network
audit: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.audit

clean:
	@rm -rf $(VENV) .venv-lock build *.egg-info

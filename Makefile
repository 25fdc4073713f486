PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8765

# An environment knows its own path: one that was moved or copied is made anew.
ifneq ($(wildcard .venv/.here),)
ifneq ($(shell cat .venv/.here),$(CURDIR))
$(shell rm -rf .venv)
endif
endif

.PHONY: try test lint bench clean

try: .venv/.ready
	$(BIN)/mend try --port $(PORT)

# Tests start Mend hundreds of times: it is compiled once, not by each process anew, whatever the caller's shell says.
test: .venv/.dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/mend lint

bench: .venv/.dev
	$(BIN)/python -m bench

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Mend needs Python 3.11 or newer; set PYTHON=python3.12, say" if sys.version_info < (3, 11) else 0)'
	@echo 'Making an environment in .venv ...'
	@$(PYTHON) -m venv .venv
	@echo '$(CURDIR)' > .venv/.here

.venv/.ready: .venv/bin/python requirements.lock pyproject.toml
	@echo 'Installing what Mend needs (once, about a minute) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.ready requirements-dev.lock
	@echo 'Installing what the tests need (once) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

clean:
	rm -rf .venv

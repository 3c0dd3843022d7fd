.PHONY: run test clean

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# A stamp a set of extras: installed again only when the dependencies change.
$(VENV)/.installed-%: pyproject.toml constraints.txt
	python3 -m venv $(VENV)
	$(PIP_INSTALL) -e '.[$*]'
	touch $@

run: $(VENV)/.installed-preview
	@$(BIN)/python -m bot

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
PROCESSES ?= 2  # that run tests; three were no faster on two cores

.PHONY: demo test test-slow check format bench bench-smoke docs clean

demo: $(BASE)
	$(BIN)/mlagents-learn config/ppo/3DBall.yaml --env=3DBall --run-id=demo --force --results-dir=results
	$(BIN)/mlagents play 3DBall --model results/demo/3DBall.onnx --episodes 12 --deterministic

test: $(DEV)
	$(BIN)/python -m pytest -m "not slow" -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

test-slow: $(DEV)
	$(BIN)/python -m pytest -m slow --timeout=3600

check: $(DEV)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

bench: $(DEV)
	$(BIN)/python benchmarks/run.py

bench-smoke: $(DEV)
	$(BIN)/python benchmarks/run.py --quick

docs: $(DEV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Look at site/index.html, or run $(BIN)/mkdocs serve."

$(DEV): EXTRAS := [dev]
$(BASE) $(DEV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version 2>&1). Name another with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.$(EXTRAS)'
	@touch $@

clean:
	rm -rf $(VENV)

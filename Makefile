# Two commands: `make report` and `make test`.  Each sets up what it needs on a bare machine
# (Python >= 3.11, git, make, a package index); a second call starts at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV := $(VENV)/.dev
DOCS := $(VENV)/.docs
OUT ?= reports/generated
# Tests on all cores; empty for one after the other.
PARALLEL ?= -n logical --dist worksteal

.PHONY: report test pytest test-all docs bench costs lint coverage clean

report: $(READY)
	$(BIN)/perturblearn report --out $(OUT)
	$(BIN)/perturblearn sweep --published msg-a --sweeps eps --solver flow --out $(OUT)/msg-a
	$(BIN)/perturblearn orthogonal --published L2 --sweeps N_adv --scale 50 --set max_steps=4000 --out $(OUT)/orthogonal
	$(BIN)/perturblearn orthogonal --study orthogonality --seeds 3 --out $(OUT)/orthogonality
	$(BIN)/perturblearn index $(OUT) $(OUT)/msg-a $(OUT)/orthogonal $(OUT)/orthogonality --out $(OUT)/index.html

# Style and types are looked at while tests wait: for processes, clusters, clocks.
test: $(DEV)
	$(MAKE) --no-print-directory -j2 lint pytest

pytest: $(DEV)
	$(BIN)/pytest $(PARALLEL)

test-all: lint
	HYPOTHESIS_PROFILE=all $(BIN)/pytest $(PARALLEL) -m "slow or not slow"

# All anew: a tutorial shows what the code does now.
docs: $(DOCS)
	$(BIN)/sphinx-build -E -W --keep-going -j auto docs docs/_build/html

bench: $(DEV)
	$(BIN)/pytest tests/benchmarks --benchmark-columns=median,min,max --benchmark-sort=mean

costs: $(READY)
	$(BIN)/perturblearn costs --out $(OUT)/costs

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

coverage: $(DEV)
	$(BIN)/pytest --cov

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The stamp is written last, so that an interrupted set-up is done again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "perturblearn needs Python >= 3.11, got " + sys.version.split()[0] + "; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv --clear $(VENV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[reports]"
	@touch $(READY)

# What only developers need.
$(DEV): $(READY)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[reports,dev]"
	@touch $(DEV)

$(DOCS): $(DEV)
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $(DOCS)

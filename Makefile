# One word each: demo, test, lint, real, bench. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BENCH ?= speed --units 10000 100000
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.DEFAULT_GOAL := help
.PHONY: help demo test lint types tests real bench peers wheels lock clean

help:  ## list these words
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/run.stamp  ## plan the demo town and draw its map into maps/
	$(BIN)/gridplan demo -o maps

test: lint tests  ## everything that must hold: lint, types, tests

lint: $(VENV)/dev.stamp  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/mypy

tests: $(VENV)/dev.stamp $(VENV)/system.stamp
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --durations 10

real: $(VENV)/dev.stamp  ## the tests on real cities that lie beside the repository
	$(BIN)/python -m pytest -q -ra tests/real \
	    -o addopts="--strict-markers --strict-config -p no:cacheprovider --import-mode=importlib"

bench: $(VENV)/run.stamp  ## one benchmark; BENCH="partition UNITS.parquet --seeds 20" picks another
	$(BIN)/python -m benchmarks.$(BENCH)

peers: $(VENV)/run.stamp  ## install the programs that benchmarks run beside ours with --peers
	$(PIP) install --require-hashes -r requirements-bench.lock

wheels:  ## ask the package index whether every platform has a wheel of every pin (needs uv)
	@for platform in x86_64-pc-windows-msvc aarch64-apple-darwin \
	    x86_64-manylinux_2_28 aarch64-manylinux_2_28; do \
	    for python in 3.11 3.12 3.13; do \
	        MACOSX_DEPLOYMENT_TARGET=14.0 uv pip compile -q --only-binary :all: \
	            --python-platform $$platform --python-version $$python requirements.lock \
	            --no-header >/dev/null || exit 1; \
	        echo "$$platform, Python $$python: every pin has a wheel"; \
	    done; \
	done

lock:  ## pin all versions anew (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-header --no-emit-index-url --no-emit-find-links \
	    pyproject.toml --group build -o requirements.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-header --no-emit-index-url --no-emit-find-links \
	    pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --no-header --no-emit-index-url --no-emit-find-links \
	    pyproject.toml --extra bench -c requirements.lock -o requirements-bench.lock

clean:  ## remove the environment and everything built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps make a second call quick: a step runs again only when its lock file changed.
$(VENV)/run.stamp: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "gridplan needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	$(PIP) install --require-hashes -r requirements-dev.lock
	touch $@

$(VENV)/system.stamp: | $(VENV)/run.stamp
	@if ! command -v chromium >/dev/null || ! fc-list 2>/dev/null | grep -q 'Noto.*CJK'; then \
	    echo "installing Chromium and CJK fonts for the tests of the map"; \
	    $(SUDO) apt-get update -qq; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	        --no-install-recommends chromium fontconfig fonts-noto-cjk >/dev/null; \
	fi
	touch $@

# Everything that people do with this repository. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR := .duly/demo
DEMO_PORT ?= 8600
WORKERS ?= 2
ROOMS := activities api connectors domain duly launch simulators store workflows cli.py settings.py wiring.py worker.py tests

# Stamps live in the virtual environment: whoever deletes it starts over.
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
ASSETS := $(VENV)/.assets

.PHONY: help
help: ## List every target
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) ## Make the virtual environment and install what is locked

$(LOCKED): requirements-dev.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# No network and no second resolution: the lock above already holds everything, setuptools included.
$(INSTALLED): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index \
		--config-settings editable_mode=compat --editable .
	@touch $@

.PHONY: assets
assets: $(ASSETS) ## Copy style sheets, scripts and pictures from npm into api/static/vendor

PAGES := $(shell find api -name vendor -prune -o \( -name '*.html' -o -name '*.py' -o -name '*.js' \) -print)
$(ASSETS): $(INSTALLED) package-lock.json purgecss.config.cjs launch/assets.py $(PAGES)
	$(BIN)/python -m launch.assets
	@touch $@

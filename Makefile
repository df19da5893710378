# Everything that people do with this repository. `make help` lists it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .duly/demo
WORKERS ?= 3
TYPED := $(wildcard activities api bench connectors domain duly launch simulators store workflows tests *.py)

# Stamps live in the virtual environment: whoever deletes it starts over.
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
ASSETS := $(VENV)/.assets
PEERS := $(VENV)/.peers
TRYTON := .venv-tryton

.PHONY: help
help: ## List every target
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) ## Make the virtual environment and install what is locked

$(LOCKED): requirements-dev.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

# No network and no second resolution: the lock above already holds everything, setuptools included. Compiled, because where
# Python may not write beside its sources each workflow's sandbox would compile its modules anew.
$(INSTALLED): $(LOCKED) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index \
		--config-settings editable_mode=compat --editable .
	@$(BIN)/python -m compileall -q $(filter-out tests,$(TYPED))
	@touch $@

.PHONY: assets
assets: $(ASSETS) ## Copy style sheets, scripts and pictures from npm into api/static/vendor

PAGES := $(shell find api -name vendor -prune -o \( -name '*.html' -o -name '*.py' -o -name '*.js' \) -print)
$(ASSETS): $(INSTALLED) package-lock.json purgecss.config.cjs launch/assets.py $(PAGES)
	$(BIN)/python -m launch.assets
	@touch $@

.PHONY: browser
browser: ## Install Debian's Chromium without a window where none is and it may be installed
	@if command -v chromium-headless-shell >/dev/null; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
		if command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; fi; \
		echo "The browser tests need Chromium: install it and run this again."; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then as_root=; \
	elif sudo -n true 2>/dev/null; then as_root=sudo; \
	elif command -v chromium chromium-browser google-chrome >/dev/null; then exit 0; \
	else echo "The browser tests need Chromium: sudo apt-get install chromium-headless-shell"; exit 1; fi; \
	$$as_root apt-get update -qq; \
	for package in chromium-headless-shell chromium; do \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$package && exit 0; done; \
	command -v chromium chromium-browser google-chrome >/dev/null

# A real ERP to test against, as a program of its own: no code of ours imports it. Its tables take minutes to make, so they
# are made here and not by a test, once for each lock.
.PHONY: tryton
tryton: $(TRYTON)/.ready ## Install Tryton beside Duly and found the tests' company in it (2 minutes, once)

$(TRYTON)/.locked: requirements-tryton.lock
	@test -x $(TRYTON)/bin/python || $(PYTHON) -m venv $(TRYTON)
	$(TRYTON)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tryton.lock
	@touch $@

$(TRYTON)/.ready: $(TRYTON)/.locked $(INSTALLED) tests/tryton/__main__.py tests/tryton/company.py tests/tryton/desk.py
	$(BIN)/python -m tests.tryton
	@touch $@

.PHONY: demo
demo: setup assets ## Run everything with a demo company until Ctrl-C; PORT=9000 places it elsewhere
	@exec $(BIN)/duly up --demo --data-dir $(DEMO) $(if $(PORT),--port $(PORT))

.PHONY: demo-reset
demo-reset: ## Forget the demo company; the next `make demo` starts over
	@if [ ! -d $(DEMO) ]; then echo "There is no demo to forget."; \
	elif flock --nonblock $(DEMO)/lock rm -rf $(DEMO); then echo "Forgotten. 'make demo' starts over."; \
	else echo "The demo is running: stop it first (Ctrl-C)."; exit 1; fi

# Test by test, but for those that need a house or the like: each of these groups is one process's (tests/conftest.py). What
# only reads the sources is `make check`'s.
.PHONY: test
test: setup assets browser ## Run the tests (10 minutes at most on 2 cores); ARGS="-k name" chooses
	$(BIN)/pytest -n $(WORKERS) -m "not long" --ignore tests/house $(ARGS)

.PHONY: test-long
test-long: setup assets browser tryton $(PEERS) ## Run what is too long for `make test` (75 minutes at most); again takes it up
	$(BIN)/python -m tests.long $(ARGS)

# Asks vendors over the network, with keys of somebody's: only when a person says so. CI=true leaves everything out.
.PHONY: test-live
test-live: setup ## Ask real test accounts what the kit asks; needs their keys (docs/how-to), ARGS="-k stripe"
	$(BIN)/pytest tests/live -r fE $(ARGS)

.PHONY: soak
soak: setup ## Play simulated stories until Ctrl-C; ARGS="--seed N --minutes M"
	@exec $(BIN)/python -m tests.simulation.soak $(ARGS)

.PHONY: mutants
mutants: setup assets tryton ## Break every guard once and see a test fail; ARGS="--only NAME"
	@exec $(BIN)/python -m tests.mutants $(ARGS)

# Over what is locked for tests, with the same versions of it: only the peers are added.
$(PEERS): $(INSTALLED) requirements-bench.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

.PHONY: bench
bench: setup assets $(PEERS) ## Measure Duly beside limits and alternatives (20 minutes); ARGS="--only P1,P5"
	$(BIN)/python -m bench --report bench/RESULTS.md $(ARGS)

.PHONY: bench-quick
bench-quick: setup assets $(PEERS) ## The same in 3 minutes: every variant still does the same job; no verdict
	$(BIN)/python -m bench --quick $(ARGS)

.PHONY: check
check: setup ## Format, lint, types, import rules, containers, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/pytest -q -n 2 tests/house

.PHONY: format
format: setup ## Format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# npm writes down where each package asks for money: addresses, which a lock file of ours does not hold.
define WITHOUT_FUNDING
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n")
endef
export WITHOUT_FUNDING

.PHONY: lock
# Names, versions and hashes only: no registry's address, no path of this machine.
COMPILE := pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate --no-emit-index-url
lock: setup ## Lock the newest versions that pyproject.toml and package.json allow
	$(BIN)/uv $(COMPILE) --upgrade --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv $(COMPILE) --upgrade --extra build --extra local --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv $(COMPILE) --upgrade --extra build --extra local --extra dev --extra bench -c requirements-dev.lock pyproject.toml \
		-o requirements-bench.lock
	$(BIN)/uv $(COMPILE) --upgrade requirements-node.in -o requirements-node.lock
	$(BIN)/uv $(COMPILE) --upgrade requirements-tryton.in -o requirements-tryton.lock
	npm install --package-lock-only
	$(BIN)/python -c "$$WITHOUT_FUNDING" package-lock.json

.PHONY: clean
clean: ## Delete what was built; the demo and the virtual environment stay
	rm -rf build dist node_modules api/static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -f $(ASSETS)

.PHONY: docs
docs: setup ## Write the documents that are made from code
	$(BIN)/python -m tests.house.make_documents

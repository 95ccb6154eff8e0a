# authgate's commands. Everything lives in .venv beside this file; `make help` lists what there is.
# Stamps in .venv say which lock was installed last, so a second run costs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Settings: make test T=tests/protocol · make test PROCESSES=1 · make serve ARGS="--port 9000" ·
# make demo PYTHON=python3.13
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
T ?=
ARGS ?=
# Most of the whole suite's time is waiting for servers, so it runs a little wider than two cores. In
# the order of its rooms: by the number of their tests, the longest stories would come last, alone.
PROCESSES ?= 3

VENV := .venv
RUN := $(VENV)/bin
NODE_CLIENTS := tests/clients/node
BROWSER_PACKAGES := chromium chromium-driver fonts-liberation
SERVICE_PACKAGES := nginx-light caddy redis-server pgbouncer systemd

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# -qq: errors only; every version and hash is in the lock, so there is nothing to read while it works.
PIP_INSTALL = $(RUN)/python -m pip install -qq --require-hashes

say = printf '\033[1m== %s\033[0m\n'

# $(call debian,PACKAGES,WHAT FOR): installs Debian packages as root or with a sudo that asks for
# nothing; otherwise stops and names the command. RUNLEVEL=1 is Debian's word for "start no service".
define debian
	install="apt-get install -y --no-install-recommends $(1)"; \
	if ! command -v apt-get >/dev/null; then \
		echo "authgate: missing for $(2): $(1) (Debian's names; install their like here)" >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then sudo=; \
	elif sudo -n true 2>/dev/null; then sudo="sudo -n"; \
	else \
		echo "authgate: for $(2), root has to install packages. Run this, then make again:" >&2; \
		echo "    sudo apt-get update && sudo $$install" >&2; exit 1; \
	fi; \
	$(say) "Installing $(1) ($(2))"; \
	$$sudo apt-get update -qq </dev/null; \
	$$sudo env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $$install -qq </dev/null >/dev/null
endef


.PHONY: help
help: ## list the targets
	@echo "authgate: make TARGET"
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)$$/\1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name what; do printf '  %-14s %s\n' "$$name" "$$what"; done

.PHONY: demo
demo: $(VENV)/base.stamp ## start authgate and walk the whole flow with a real MCP client
	@$(RUN)/authgate demo $(ARGS)

.PHONY: demo-supabase
demo-supabase: $(VENV)/base.stamp ## the same for people of a Supabase project (a stand-in plays it)
	@$(RUN)/python -m tests.standins.demo $(ARGS)

.PHONY: demo-authkit
demo-authkit: $(VENV)/base.stamp ## the same where WorkOS's AuthKit issues the tokens (a stand-in too)
	@$(RUN)/python -m tests.standins.demo_authkit $(ARGS)

.PHONY: serve
serve: $(VENV)/base.stamp ## run the server on this machine (ARGS="--port 9000")
	@$(RUN)/authgate serve $(ARGS)

.PHONY: test
test: $(VENV)/dev.stamp browser services node-clients ## install what the tests need and run them (T=tests/protocol)
	@$(RUN)/python -m pytest $(if $(T),,-n $(PROCESSES) --dist loadfile --no-loadscope-reorder) $(ARGS) $(T)

.PHONY: check
check: $(VENV)/dev.stamp ## format, lint, types, the direction of imports
	@$(say) "Format (ruff format)"; $(RUN)/ruff format --check .
	@$(say) "Lint (ruff check)"; $(RUN)/ruff check .
	@$(say) "Types (mypy)"; $(RUN)/mypy
	@$(say) "Imports (lint-imports)"; $(RUN)/lint-imports --no-logo

.PHONY: format
format: $(VENV)/dev.stamp ## put the code into its form and mend what can be mended
	@$(RUN)/ruff check --fix-only --quiet .
	@$(RUN)/ruff format .

.PHONY: bench
bench: $(VENV)/dev.stamp ## measure speed and size on this machine
	@$(RUN)/python -m bench $(ARGS)

.PHONY: soak
soak: $(VENV)/dev.stamp services ## ten minutes of mixed traffic on three nodes (ARGS="--minutes 60")
	@$(RUN)/python -m soak $(ARGS)

.PHONY: docs
docs: $(VENV)/dev.stamp ## check that the docs say what the code does
	@$(RUN)/python -m pytest tests/house -q $(ARGS)

# uv writes the lock because pip-compile locks for one Python and one platform; this one has markers
# for all of them, and the hash of every file. It takes nothing from this machine's configuration but
# the index, and writes no index down. Pins stay as they are unless UPGRADE is given.
LOCK = env -u UV_FIND_LINKS -u UV_INDEX -u UV_EXTRA_INDEX_URL -u UV_CONSTRAINT -u UV_OVERRIDE \
	$(RUN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: $(VENV)/dev.stamp ## lock the dependencies again (UPGRADE=1 for newer ones)
	@$(say) "Locking requirements/{base,dev,otel,build}.txt"
	@$(LOCK) pyproject.toml -o requirements/base.txt
	@$(LOCK) pyproject.toml --extra dev -c requirements/base.txt -o requirements/dev.txt
	@$(LOCK) pyproject.toml --extra otel -c requirements/dev.txt -o requirements/otel.txt
	@$(LOCK) requirements/build.in -c requirements/dev.txt -o requirements/build.txt

.PHONY: clean
clean: ## remove everything that make made
	rm -rf $(VENV) $(NODE_CLIENTS)/node_modules build dist .pytest_cache .mypy_cache .ruff_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +


# --- What the targets stand on -------------------------------------------------------------------

# Base and dev share one environment: dev's lock is made under base's, so whichever is installed
# last, the versions are the same. An environment half made is removed with its python (make removes
# the target of a recipe that failed or was interrupted) and made again; --clear takes the stamps too.
$(RUN)/python:
	@found=; seen=; \
	for name in $(PYTHON); do \
		path=$$(command -v "$$name") || continue; \
		if "$$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found=$$path; break; fi; \
		seen="$$seen $$path ($$("$$path" -V 2>&1 | head -1))"; \
	done; \
	if [ -z "$$found" ]; then \
		echo "authgate needs Python 3.11 or newer; found:$${seen:- none}." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
		$(call debian,python3-venv,making a Python environment); \
		if ! "$$found" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "authgate: $$found still cannot make environments (no ensurepip)." >&2; exit 1; \
		fi; \
	fi; \
	$(say) "Making $(VENV) with $$("$$found" -V)"; \
	"$$found" -m venv --clear $(VENV)

$(VENV)/base.stamp: requirements/base.txt requirements/build.txt pyproject.toml | $(RUN)/python
	@$(say) "Installing authgate and what it runs on (a minute the first time)"
	@$(PIP_INSTALL) -r requirements/build.txt -r requirements/base.txt
	@$(RUN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt requirements/base.txt requirements/build.txt pyproject.toml | $(RUN)/python
	@$(say) "Installing authgate with what its tests need (a minute or two the first time)"
	@$(PIP_INSTALL) -r requirements/build.txt -r requirements/dev.txt
	@$(RUN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $(VENV)/base.stamp $@

.PHONY: browser
browser:
	@if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then \
		$(call debian,$(BROWSER_PACKAGES),the browser tests); \
	fi

# What stands beside authgate in the field. /usr/sbin is on root's path alone. Where a package may
# start its service, the tests take no notice of it: they run their own, on other ports and in other
# folders. (PostgreSQL comes from the package index with the rest of dev.)
.PHONY: services
services:
	@for program in nginx caddy redis-server pgbouncer systemd-analyze; do \
		if ! PATH="$$PATH:/usr/sbin:/usr/local/sbin" command -v $$program >/dev/null; then \
			$(call debian,$(SERVICE_PACKAGES),the tests with proxies and stores); break; \
		fi; \
	done

.PHONY: node-clients
node-clients: $(NODE_CLIENTS)/node_modules/.stamp

$(NODE_CLIENTS)/node_modules/.stamp: $(NODE_CLIENTS)/package.json $(NODE_CLIENTS)/package-lock.json | $(VENV)/dev.stamp
	@$(say) "Installing the JavaScript clients of the tests"
	@$(RUN)/python -m tests.clients.node.install
	@touch $@

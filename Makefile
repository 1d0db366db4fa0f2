# Every target works on a clean clone with Python >= 3.11 and make; nothing is installed outside this folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --no-sync
PACKAGES := contracts/src libs/chassis/src libs/documents/src services/ins/src services/psc-auth/src \
            services/report/src services/dmp/src services/mss/src deploy/sandbox/src

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-alone lint format generate bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Navette needs Python 3.11 or newer ($(PYTHON) is older); set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m venv .uv || { echo "Python's venv module is missing (Debian: apt install python3-venv)."; exit 1; }
	@.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# A real uv on the PATH needs no bootstrap.
$(filter-out .uv/bin/uv,$(UV)):

setup: $(UV) ## install everything of the lock file into .venv
	@$(UV) sync --quiet --locked --all-packages --all-groups

demo: setup ## command one: the whole platform on this machine, twenty reports, eleven scenarios
	@$(RUN) navette-sandbox demo

up: setup ## start the platform and leave it running until Ctrl-C
	@$(RUN) navette-sandbox up

test: setup ## command two: every layer of tests that this machine can run
	@$(RUN) python tools/run_tests.py

test-alone: $(UV) ## install each member alone and run its tests in that environment
	@$(PYTHON) tools/test_alone.py --uv "$(UV)"

lint: setup ## ruff, mypy strict, import-linter, size limits, generated files up to date
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@for src in $(PACKAGES); do $(RUN) mypy --no-error-summary $$src; done
	@$(RUN) lint-imports
	@$(RUN) python tools/check_sizes.py
	@$(RUN) python -m navette_contracts.generate --check
	@$(RUN) python tools/requirements_matrix.py --check

format: setup ## let ruff rewrite what it can
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

generate: setup ## rewrite what is generated from code (schemas, AsyncAPI, Kafka manifests, topic table, requirement matrix)
	@$(RUN) python -m navette_contracts.generate
	@$(RUN) python tools/requirements_matrix.py

bench: setup ## the table of docs/benchmarks.md, measured on this machine
	@$(RUN) python -m tests.bench

clean: ## remove what the targets above made
	rm -rf .venv .uv demo-output test-output .sandbox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# Everything that a user types; `make help` lists it. Set-up itself is include/local/setup.py.

SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# With PYTHON given, .venv is made from it; without, an existing .venv is kept.
PYTHON_GIVEN := $(filter-out undefined,$(origin PYTHON))
PYTHON ?= python3

export PYTHONPATH := $(CURDIR)
unexport PYTHONDONTWRITEBYTECODE

# CONF may hold any character, also "$", so make must not expand it; recipes read it from the environment.
override CONF := $(value CONF)
export CONF
export DAG PAIR DEVICES APPS SEED SEEDS PART ARGS

VENV_PYTHON := .venv/bin/python

define setup
@python=.venv/bin/python; \
if [ -n "$(PYTHON_GIVEN)" ] || ! [ -x "$$python" ]; then python="$(PYTHON)"; fi; \
"$$python" -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else 3)' 2>/dev/null || { \
  echo "error: Python 3.11 or newer is needed, and \"$$python\" is older or does not run. Name one: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }; \
env -u PYTHONPATH "$$python" include/local/setup.py $(1)
endef

.PHONY: help setup setup-cluster setup-dev demo cluster-demo test up dag preflight sandbox bench lint audit lock page screenshots

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with the pinned requirements (every other target does it too)
	$(call setup,)

setup-cluster:
	$(call setup,--cluster)

setup-dev:
	$(call setup,--dev --cluster)

demo: setup ## Both flows against the sandbox on a real Airflow, twice, then compare both ends [DEVICES=500 APPS=40]
	@"$(VENV_PYTHON)" -m include.local.demo $${DEVICES:+--devices "$$DEVICES"} $${APPS:+--apps-per-device "$$APPS"} $${SEED:+--seed "$$SEED"} $(ARGS)

cluster-demo: setup-cluster ## The same on two Celery workers, Redis, PostgreSQL and S3; one worker is killed [DEVICES=500 APPS=40]
	@"$(VENV_PYTHON)" -m include.local.cluster.demo $${DEVICES:+--devices "$$DEVICES"} $${APPS:+--apps-per-device "$$APPS"} $${SEED:+--seed "$$SEED"} $(ARGS)

test: lint audit ## Every check that CI runs
	@"$(VENV_PYTHON)" -m pytest -q -n 2 --dist loadfile $(ARGS)

up: setup ## Airflow with its UI and the sandbox, until Ctrl-C [DEVICES=500 APPS=40]
	@"$(VENV_PYTHON)" -m include.local.up $${DEVICES:+--devices "$$DEVICES"} $${APPS:+--apps-per-device "$$APPS"} $${SEED:+--seed "$$SEED"} $(ARGS)

dag: setup ## One run to its end in this process: DAG=iru_devices [CONF='{"mode": "plan"}']
	@"$(VENV_PYTHON)" -m include.local.dag $${DAG:+"$$DAG" "$$CONF"}

preflight: setup ## Is everything ready? Asks Iru and ServiceNow, writes nothing [PAIR=emea CONF='{"fleet": false}']
	@"$(VENV_PYTHON)" -m include.local.dag "iru_servicenow_preflight$${PAIR:+__$$PAIR}" "$$CONF"

sandbox: setup ## The sandbox of both APIs alone, until Ctrl-C [DEVICES=500 APPS=40]
	@"$(VENV_PYTHON)" -m include.sandbox serve --devices "$${DEVICES:-500}" --apps-per-device "$${APPS:-40}" --seed "$${SEED:-7}" $(ARGS)

bench: setup-dev ## Long runs and measurements, into bench/results.json [PART=chaos DEVICES=10000 SEEDS=10]
	@"$(VENV_PYTHON)" -m bench $${PART:+--part "$$PART"} $${DEVICES:+--devices "$$DEVICES"} $${SEEDS:+--seeds "$$SEEDS"} $(ARGS)

screenshots: setup-dev ## Pictures of the sync page for the README, from the demo's data (needs Chromium)
	@"$(VENV_PYTHON)" -m include.local.screenshots $${DEVICES:+--devices "$$DEVICES"} $${APPS:+--apps-per-device "$$APPS"} $(ARGS)

lint: setup-dev ## Style, format and types
	@"$(VENV_PYTHON)" -m ruff check .
	@"$(VENV_PYTHON)" -m ruff format --check .
	@"$(VENV_PYTHON)" -m mypy

audit: setup-dev ## Pins are exact and, where PyPI's advisories can be asked, without a known vulnerability
	@"$(VENV_PYTHON)" -m include.local.audit

page: ## Build the sync page's bundle (needs node)
	@npm ci --no-audit --no-fund --prefix plugins/iru_servicenow/sync_page
	@npm run --prefix plugins/iru_servicenow/sync_page build

lock: setup-dev ## Pin the newest versions that requirements*.in allow
	@uv=$$(command -v uv || echo "$(VENV_PYTHON) -m uv"); \
	for name in requirements requirements-dev deploy/requirements-cluster requirements-cluster-demo; do \
	  $$uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	    --no-header --no-annotate --no-emit-index-url --no-emit-find-links "$$name.in" -o "$$name.txt" || exit 1; \
	done

# Everything a person types. `make` alone lists it.
#
# Plain pip is enough; uv is used when it is on PATH. State lives in .nightloop/, packages in .venv/.
# Ports: NIGHTLOOP_CLOUD_PORT (4566), NIGHTLOOP_REVIEW_PORT (4567), NIGHTLOOP_AIRFLOW_PORT (8080); of a cluster also
# NIGHTLOOP_POSTGRES_PORT (4568) and NIGHTLOOP_REDIS_PORT (4569).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
REQUIREMENTS := requirements.txt requirements-local.txt requirements-dev.txt constraints.txt
STAMP := $(VENV)/.installed
JAVASCRIPT := node_modules/.package-lock.json
TESTS ?= tests
# One more than the cores that CI has: half of what starts processes waits for them.
WORKERS ?= 3
SAGEMAKER2 := tests/clients/sagemaker2-requirements.txt tests/clients/sagemaker2-constraints.txt

export PYTHONPATH := $(CURDIR)
export PYTHONUNBUFFERED := 1

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv and install every package (2 to 5 minutes, once)

# The stamp is newer than the requirement files, or the packages are not what those files say.
$(STAMP): $(REQUIREMENTS)
	@bash .ci/setup $(VENV)
	@touch $@

demo: setup  ## three batches of sample images: ask, learn, judge (SAMPLE=trees, TASK=classification; KEEP=1 leaves it up)
	@exec $(PY) -m include.demo $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(TASK),--task $(TASK))

up: setup  ## start the local cloud, the review server and Airflow
	@exec $(PY) -m include.stack up

down: setup  ## stop all of it; state is kept in .nightloop/
	@exec $(PY) -m include.stack down

status: setup  ## what is running, and where
	@exec $(PY) -m include.stack status

logs: setup  ## the last lines of every process's log
	@exec $(PY) -m include.stack logs

cluster: setup  ## what docker-compose.yaml describes, without a container engine: Celery, PostgreSQL, Redis
	@.ci/system-packages postgresql redis-server
	@exec $(PY) -m include.cluster up

cluster-down: setup  ## stop the cluster; state is kept in .nightloop/cluster/
	@exec $(PY) -m include.cluster down

cluster-status: setup  ## what of the cluster is running, and what is well
	@exec $(PY) -m include.cluster status

mwaa: setup  ## what Amazon MWAA is given, in .nightloop/mwaa (ENVIRONMENT=aws)
	@$(PY) -m include.cluster.mwaa $(or $(ENVIRONMENT),aws)

cluster-test: setup  ## three nights on a cluster of its own, undisturbed and with kill -9 of its services
	@.ci/system-packages postgresql redis-server
	@AIRFLOW_HOME=$(CURDIR)/.nightloop/test-airflow $(PY) -m pytest tests/e2e/test_cluster.py -m cluster -x -q -s

rollback: setup  ## let the previous champion answer again (NUMBER=champion, PIPELINE=name)
	@exec $(PY) -m include.stack rollback $(if $(NUMBER),--number $(NUMBER)) $(if $(PIPELINE),--pipeline $(PIPELINE))

# npm writes this file when it has installed what the lock file says.
$(JAVASCRIPT): package.json package-lock.json
	@.ci/system-packages npm
	@npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >/dev/null
	@touch $@

lint: setup $(JAVASCRIPT)  ## ruff (its security rules too) and mypy; for the JavaScript eslint and tsc
	@echo "ruff";  $(PY) -m ruff check . && $(PY) -m ruff format --check --quiet .
	@echo "mypy";  $(PY) -m mypy
	@echo "tsc, eslint";  npm run --silent check

format: setup  ## let ruff rewrite what it can
	@$(PY) -m ruff check --fix-only . ; $(PY) -m ruff format .

check: lint  ## lint, types and the tests that start no process: before every commit
	@AIRFLOW_HOME=$(CURDIR)/.nightloop/test-airflow $(PY) -m pytest $(TESTS) -n $(WORKERS) -q \
		-m "not process and not browser and not slow"

docs: setup  ## the documentation, strictly, into .nightloop/site; and the schemas beside the YAML files
	@$(PY) docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet --config-file mkdocs.yml
	@echo ".nightloop/site/index.html"

test:  ## lint, then every test
	@.ci/system-packages
	@$(MAKE) --no-print-directory --jobs=2 lint worker-environment sagemaker2-environment
	@AIRFLOW_HOME=$(CURDIR)/.nightloop/test-airflow $(PY) -m pytest $(TESTS) -n $(WORKERS) --dist loadscope --no-loadscope-reorder --durations=25

# What tests start programs in. Each is minutes of one core's work, as the project's own environment is.
worker-environment:
	@bash .ci/setup --environment .nightloop/environments/worker requirements.txt constraints.txt

sagemaker2-environment:
	@bash .ci/setup --environment .nightloop/environments/sagemaker2 $(SAGEMAKER2)

constraints:  ## resolve requirements*.txt anew into constraints.txt, and those of the test environments
	@bash .ci/setup --resolve
	@bash .ci/setup --resolve $(SAGEMAKER2)

clean: down  ## remove .nightloop/ and .venv/
	@rm -rf .nightloop $(VENV) node_modules

.PHONY: help setup demo up down status logs cluster cluster-down cluster-status cluster-test mwaa rollback lint format check docs test worker-environment sagemaker2-environment \
	constraints clean

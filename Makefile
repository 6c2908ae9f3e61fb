# `make help` lists the targets. `make run` and `make test` need Python 3.11 or newer, make and nothing else:
# scripts/setup.sh makes .venv on first use and costs milliseconds afterwards.
# ARGS are handed on: make run ARGS="--port 8080", make test ARGS="tests/kernel -k paging".

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run dev test siege check format bench docs lock

bin := .venv/bin
setup := @scripts/setup.sh

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1  \2/p' Makefile | awk '{ printf "  make %-8s", $$2; $$1 = $$2 = ""; print $$0 }'

run: ## start the server on http://127.0.0.1:5000 (PORT=… or ARGS=…)
	$(setup) run
	@exec $(bin)/xumi run $(ARGS)

dev: ## the same, starting again when a file changes
	$(setup) dev
	@exec $(bin)/xumi run --reload $(ARGS)

test: ## the tests, on SQLite and PostgreSQL (SLOW=1: the slow ones instead)
	$(setup) dev
	@exec $(bin)/python -m pytest --numprocesses=logical --maxprocesses=8 --dist=worksteal -m "$(if $(SLOW),slow,not slow)" $(ARGS)

siege: ## the tests marked `siege` at full scale; figures go to benchmarks/results (`make test` runs a tenth)
	$(setup) dev
	@exec scripts/siege.sh $(ARGS)

check: ## format, lint, types, layers, size caps, generated docs, migration drift
	$(setup) dev
	@exec $(bin)/python scripts/check.py $(ARGS)

format: ## write the format and the fixes that are safe
	$(setup) dev
	@$(bin)/ruff format . && $(bin)/ruff check --fix .

bench: ## measure the claims of benchmarks/
	$(setup) bench
	@exec $(bin)/python -m benchmarks $(ARGS)

docs: ## write docs/reference anew from the code
	$(setup) dev
	@exec $(bin)/python scripts/generate_docs.py $(ARGS)

lock: ## write requirements*.lock anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@exec scripts/lock.sh $(ARGS)

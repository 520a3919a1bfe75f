# One command per job. Each starts from a fresh checkout: what is missing is installed into .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-failures lint format benchmark clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## install everything, pinned, into .venv (at once when nothing changed)
	@$(PYTHON) requirements/install.py --venv $(VENV) --dev

demo: install  ## train, mine and infer once on a tiny dataset
	@$(RUN) -m tests.demo

test: install  ## all tests; those that need a GPU skip themselves without one
	$(RUN) -m pytest

test-fast: install  ## the tests that need neither a GPU nor a whole training run
	$(RUN) -m pytest -m "not gpu and not slow"

test-failures: install  ## what users are told of every failure, through start.py; rewrites docs/failures.md
	$(RUN) -m pytest tests/failures

lint: install  ## check style; changes nothing
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

format: install  ## repair what lint would report, where that can be automatic
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

benchmark: install  ## measure the speed of inference, mining and training; takes half an hour
	$(RUN) -m benchmarks.inference
	$(RUN) -m benchmarks.mining
	$(RUN) -m benchmarks.training

clean:  ## remove .venv, caches and the demo's output; the built mmcv stays in the user's cache
	rm -rf $(VENV) .pytest_cache .ruff_cache demo *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

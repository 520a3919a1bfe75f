# One command per job. Each starts from a fresh checkout: what is missing is installed into .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
# Where docker's name is another: make image DOCKER=podman. More arguments of the build: BUILD_ARGS='--build-arg DEVICE=cpu'
DOCKER ?= docker
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Weights to put into the image, names of docker/weights.tsv: make image WEIGHTS="tiny s"
WEIGHTS =
# As many tests at a time as there are cores, four at most: a training takes some GB. Tests of a file share what they train.
TESTS = $(RUN) -m pytest -n logical --maxprocesses 4
BUILD = $(DOCKER) build --build-arg WEIGHTS="$(WEIGHTS)" --build-arg VERSION=$(VERSION) --build-arg REVISION=$(shell git rev-parse HEAD) $(BUILD_ARGS)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast test-failures failures-page test-gpu lint format benchmark image image-cu111 test-image test-image-cu111 clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## install everything, pinned, into .venv (at once when nothing changed)
	@$(PYTHON) requirements/install.py --venv $(VENV) --dev

demo: install  ## train, mine and infer once on a tiny dataset
	@$(RUN) -m demo

test: install  ## all tests but the slow rows of test-failures; those that need a GPU skip themselves without one
	$(TESTS) --dist loadfile
	$(TESTS) tests/failures -m "not slow"

test-fast: install  ## the tests that need neither a GPU nor a whole training run
	$(TESTS) --dist loadfile -m "not gpu and not slow"

test-failures: install  ## what users are told of every failure, through start.py; a quarter of an hour
	$(TESTS) tests/failures

test-gpu: install  ## prove all that a GPU is for on this machine's GPUs, in 15 minutes; DEVICE=cpu runs the same without one
	$(RUN) -m proof --out proof-results $(if $(DEVICE),--device $(DEVICE))
	$(RUN) -m pytest -q -m gpu tests/unit

failures-page: install  ## the same rows, and docs/failures.md written from what they told
	$(RUN) -m tests.failures.page

lint: install  ## check style and types; changes nothing
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: install  ## repair what lint would report, where that can be automatic
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

benchmark: install  ## measure the speed of inference, mining and training; takes half an hour
	$(RUN) -m benchmarks.inference
	$(RUN) -m benchmarks.mining
	$(RUN) -m benchmarks.training
	$(RUN) -m benchmarks.training_input
	$(RUN) -m benchmarks.neighbours
	$(RUN) -m benchmarks.start
	$(RUN) -m benchmarks.candidates
	$(RUN) -m benchmarks.scale

image:  ## build the image with docker, as ymir-mmdet:VERSION
	$(BUILD) -t ymir-mmdet:$(VERSION) .

image-cu111:  ## build the image for drivers that stop at CUDA 11.1, as ymir-mmdet:VERSION-cu111
	$(BUILD) -t ymir-mmdet:$(VERSION)-cu111 -f Dockerfile.cu111 .

test-image: install  ## build the image without docker and let it train, infer and mine; needs root, 5 to 15 minutes
	$(RUN) -m docker.image_test

test-image-cu111: install  ## the same for the image for older drivers, on Debian 11; stages go to .venv's stack and back
	$(RUN) -m docker.image_test --dockerfile Dockerfile.cu111 --suite bullseye --exchange

clean:  ## remove .venv, caches and the demo's output; the built mmcv stays in the user's cache
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache demo/tasks proof-results *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

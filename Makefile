# The two commands of the README are `make demo` and `make test`; `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3.11
RUN := .venv/bin/python
PYTEST := $(RUN) -m pytest
# Nothing that these tests do is shared: each file runs in one of as many processes as there are cores.
SIDE_BY_SIDE := -n auto --dist loadfile
# Quick ones; then those that start helm and its checkers, and those that draw and learn with small networks.
UNIT := tests/unit tests/guards
# `make test-unit` runs them in two halves side by side, each of which imports no more than its own tests need: in one
# process for each of two cores both would import everything, PyTorch too.
PICTURES := $(addprefix tests/unit/,contract draw evaluate finish models predictor preprocess runtime train vision workshop)
OTHERS := $(filter-out $(PICTURES) tests/unit/__pycache__,$(patsubst %/,%,$(wildcard tests/unit/*/))) tests/guards
HALF := $(shell cores=$$(getconf _NPROCESSORS_ONLN); [ $$cores -lt 4 ] || echo "-n $$((cores / 2)) --dist loadfile")
NO_CLUSTER := $(UNIT) tests/chart tests/networks
# Tests and sources are compiled once and not for every process, also where the machine says otherwise.
test unit-pictures unit-others coverage: export PYTHONDONTWRITEBYTECODE :=
# Quick: a property is tried with fewer examples than in `make test`.
unit-pictures unit-others: export PROFILE_FEW_EXAMPLES = 1
SOURCES := crds runtime vision operator images inference cli sandbox models workshop tools constraints tests

.PHONY: help demo test test-unit unit-pictures unit-others coverage test-cluster test-e2e test-images kueue mutants lint format bench bench-scale reliability crds krew notices floors lock samples rehearsal gpu-check test-compile page dashboards env people-env system browser builder binaries flux checks scale actionlint weights recogniser model prepare clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a real cluster on this machine, the product in it, and one person's portraits
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 is needed, and there is no $(PYTHON): Debian 12 has it (apt-get install python3.11 python3.11-venv); elsewhere, make demo PYTHON=/path/to/python3.11" >&2; exit 1; }
	@PYTHONPATH=cli:sandbox $(PYTHON) -m profile_cli.demo.before; answer=$$?; \
	  if [ $$answer = 0 ]; then $(MAKE) --no-print-directory prepare; \
	  elif [ $$answer = 3 ]; then $(MAKE) --no-print-directory env weights model; \
	  else exit $$answer; fi
	$(RUN) -m profile_cli demo

test: export PROFILE_ALL_TESTS = 1
test: prepare recogniser flux checks browser builder lint ## everything: lint, unit, cluster and end-to-end tests, the small images
	$(PYTEST) $(SIDE_BY_SIDE) $(NO_CLUSTER)
	$(PYTEST) --durations=10 tests/packaging tests/reliability tests/cluster tests/e2e
	$(PYTEST) tests/images

test-unit: env weights model binaries checks ## unit tests and guards: no cluster, two or three minutes
	@$(MAKE) --no-print-directory -j2 --output-sync=target unit-pictures unit-others

unit-pictures:
	$(PYTEST) $(HALF) --durations=10 $(PICTURES)

unit-others:
	$(PYTEST) $(HALF) --durations=10 $(OTHERS)

coverage: env weights model binaries checks ## which branches the tests without a cluster take, by room
	$(PYTEST) $(SIDE_BY_SIDE) --cov --cov-branch --cov-report=json:out/coverage.json $(NO_CLUSTER)
	$(RUN) tests/support/coverage_by_room.py out/coverage.json

test-cluster: prepare flux browser ## tests on a real cluster (the sandbox, or yours by KUBECONFIG)
	$(PYTEST) tests/cluster

test-e2e: prepare browser recogniser ## the whole pipeline on a real cluster
	$(PYTEST) tests/e2e

kueue: prepare ## Kueue itself shares one GPU between two teams, on a real cluster
	PYTHONPATH=sandbox $(RUN) -m profile_sandbox build --kueue
	$(PYTEST) tests/kueue

test-images: env builder ## build the images and run them as pods do (PROFILE_IMAGES=all: also the 7 GB ones)
	$(PYTEST) tests/images

mutants: env weights model binaries checks ## plant one small bug at a time and tell which ones are seen without a cluster (ONLY="ids or rooms")
	PYTHONPATH=tests/support $(RUN) -m mutants $(ONLY)

lint: env actionlint ## ruff, mypy --strict, import contracts, undeclared imports, hadolint, actionlint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy $(wildcard $(SOURCES))
	.venv/bin/lint-imports --no-cache
	.venv/bin/deptry $(filter-out tests,$(wildcard $(SOURCES)))
	.venv/bin/hadolint images/*/Dockerfile
	"$$($(RUN) -c 'from profile_sandbox.add_ons import ACTIONS; print(ACTIONS.folder)')/actionlint" -shellcheck= -pyflakes=

format: env ## let ruff format and fix what it can
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

bench: prepare ## measure, and write docs/benchmarks.md
	$(PYTEST) tests/bench

bench-scale: env binaries scale ## many requests on nodes that are none, beside Argo Workflows (SIZES="250 500", SETTLED=10000, ANEW=1), in docs/benchmarks.md
	PYTHONPATH=tests/support $(RUN) -m scale $(if $(SIZES),--sizes $(SIZES)) $(if $(SETTLED),--settled $(SETTLED)) $(if $(ANEW),--anew)

reliability: env binaries ## end the operator at every effect of a whole life and more, and write docs/reliability.md (ONLY="crashes two ...")
	PYTHONPATH=tests/support $(RUN) -m reliability $(ONLY)

crds: env ## write the CRD manifests, docs/api.md, docs/recipe.md and the chart's values.schema.json and recipes anew
	$(RUN) -m profile_contract.schema.crd crds
	cp crds/*.yaml charts/profile-studio/files/crds/
	$(RUN) -m profile_contract.schema.reference docs/api.md docs/recipe.md models/recipe.schema.json
	cp models/profile_models/recipes/*.yaml charts/profile-studio/recipes/
	cp models/studio-mini/recipe.yaml charts/profile-studio/recipes/studio-mini.yaml
	$(RUN) -m profile_values charts/profile-studio/values.schema.json

samples: env weights model ## draw the page's pictures of the chart's styles anew, with the demo's base model
	nice -n 5 $(RUN) -m profile_samples

rehearsal: env weights ## the four stages at SDXL's full size with random weights, on a CPU, into docs/full-size.md (BATCH=4; 10 GB in the cache)
	nice -n 10 $(RUN) -m profile_rehearsal $(if $(BATCH),--batch $(BATCH)) $(if $(ANEW),--anew)

gpu-check: env weights ## train, serve and draw at SDXL's full size on this machine's GPU, beside diffusers' own loops; goes on where it was cut (MINUTES=9, SIZE=small, MODELS=folder BASE=name CONTROL=name)
	$(RUN) -m profile_rehearsal.check $(if $(SIZE),--size $(SIZE)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(MODELS),--models $(MODELS)) $(if $(BASE),--base-model $(BASE)) $(if $(CONTROL),--control-model $(CONTROL))

test-compile: env ## compiled blocks draw the same pictures with the bank of adapters (compiles for minutes)
	PROFILE_COMPILE_TEST=1 $(PYTEST) tests/networks/test_compiling.py

page: ## fetch the page's one vendored file anew, as its lock file says (needs npm)
	npm ci --ignore-scripts --no-audit --no-fund --prefix images/web/vendor
	cp images/web/vendor/node_modules/htm/preact/standalone.module.js images/web/profile_web/static/vendor/htm-preact.js
	cp images/web/vendor/node_modules/htm/LICENSE images/web/profile_web/static/vendor/htm-LICENSE.txt
	rm -rf images/web/vendor/node_modules
	cd images/web/profile_web/static/vendor && sha256sum htm-preact.js > ../../../vendor/SHA256SUMS

dashboards: env ## write the Grafana dashboards anew into the chart
	$(RUN) -m profile_dashboards charts/profile-studio/files/dashboards

krew: env ## kubectl profile as one file for every platform, and krew's manifest of it (URI=..., HOMEPAGE=...)
	$(RUN) -m profile_krew --uri '$(URI)' --homepage '$(HOMEPAGE)'

floors: env ## draw the floors in docs/development.md anew from the import contract
	$(RUN) constraints/floors.py

notices: env ## write the table of packages in THIRD_PARTY_NOTICES.md anew
	$(RUN) constraints/notices.py

lock: ## resolve pyproject.toml into constraints/ anew (UPGRADE=1 takes newer versions)
	$(PYTHON) constraints/environment.py lock

env: ## .venv for this clone (packages are installed once per machine, into the user's cache)
	@$(PYTHON) constraints/environment.py

people-env: env ## Blender's own environment, to render people who do not exist
	@constraints/debian.sh workshop/apt.txt
	@$(PYTHON) constraints/environment.py people

system: ## Debian packages that the sandbox and the libraries need
	@constraints/debian.sh sandbox/apt.txt

browser: ## a browser for the tests of the page, and Git for those of GitOps
	@constraints/debian.sh tests/apt.txt

builder: ## what builds images without a daemon, for their tests; only root may build them
	@if [ "$$(id -u)" = 0 ]; then constraints/debian.sh tests/images/apt.txt; fi

binaries: ## compile the sandbox's Kubernetes once per machine, into the user's cache
	@PYTHONPATH=sandbox $(PYTHON) -m profile_sandbox build

flux: system ## compile Flux's controllers for their test, once per machine, into the user's cache
	@PYTHONPATH=sandbox $(PYTHON) -m profile_sandbox build --flux

checks: system ## compile kubeconform, kube-score, krew and actionlint for their tests, once per machine, into the user's cache
	@PYTHONPATH=sandbox $(PYTHON) -m profile_sandbox build --checks

scale: system ## compile kwok and Argo Workflows' controller for the benchmark of scale, once per machine, into the user's cache
	@PYTHONPATH=sandbox $(PYTHON) -m profile_sandbox build --scale

actionlint: ## compile what reads the workflows, once per machine, into the user's cache: a minute
	@PYTHONPATH=sandbox $(PYTHON) -m profile_sandbox build --actions

weights: ## fetch the detection, pose, identity and mask weights, and test photos
	@PYTHONPATH=models $(PYTHON) -m profile_models fetch

recogniser: ## fetch a second recogniser, with which `profile-studio evaluate` looks at portraits once more
	@PYTHONPATH=models $(PYTHON) -m profile_models recogniser

model: env ## put the small models of SDXL's architecture in place: a random one, and the trained studio-mini
	@$(RUN) -m profile_models random
	@$(RUN) -m profile_models install

# The Go compiler and the downloads wait for different things: let them run side by side.
prepare: system
	@+$(MAKE) --no-print-directory -j4 binaries env weights model

clean: ## stop the sandboxes and remove what they and the tests left (the user's cache stays)
	@for state in .sandbox .sandbox-tests; do \
	  if [ ! -e $$state/sandbox.json ]; then continue; fi; \
	  if [ ! -x $(RUN) ]; then echo "$$state may still run, and only .venv can stop it: \`make env\` first; nothing was deleted" >&2; exit 1; fi; \
	  $(RUN) -m profile_sandbox --state $$state down || exit 1; \
	done
	rm -rf .venv .venv.lock .sandbox .sandbox-tests out build dist .pytest_cache .mypy_cache .ruff_cache

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/profile-studio
distclean: clean ## and what was put elsewhere: the user's cache (all clones'), Debian packages that were installed for it
	@PYTHONPATH=sandbox $(PYTHON) -m profile_sandbox.leftovers
	rm -rf "$(CACHE)"
	@constraints/debian.sh --remove
	@constraints/debian.sh --boot sandbox/apt.txt tests/apt.txt
	@echo "What stays: Go's caches, which other programs share ('go clean -cache -modcache' empties them), and pip's and uv's."

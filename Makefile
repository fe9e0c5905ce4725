# Each target is a line or two around a command; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
TORCH_BACKEND ?=
PORT ?=
# Three test files at a time, as tests spend half of their time waiting; PYTEST_ARGS="-k exchange"
# selects tests, and runs one file at a time.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
# Tests that start notebooks, servers, browsers or containers, or are slow anyway.
NOT_FAST = kernel or hub or browser or docker or slow or long
CONTAINER_ARGS ?= tests/docker tests/executor/test_assignments.py tests/attacks/test_gateway.py \
                  tests/attacks/test_server_access.py

INSTALL = TORCH_BACKEND="$(TORCH_BACKEND)" "$(PYTHON)" -m hub.host.install --venv "$(VENV)"
RUN = "$(VENV)/bin/python" -m

DEPLOY = "$(PYTHON)" -m hub.host.deploy

.PHONY: help serve images add-model check-models doctor up down status logs links roster backup \
        restore test test-fast test-containers release glossary wheel models prove mutants bench \
        bench-containers lint format lock upgrade-lock check-locks clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 17

serve: ## install what is missing and start a demonstration course on localhost (PORT=8000)
	@$(INSTALL) server
	@LOGITLAB_PORT="$(PORT)" exec "$(VENV)/bin/logitlab" serve

images: ## build the container images; MODELS="gpt2" bakes models in
	@$(DEPLOY) images $(if $(MODELS),--models "$(MODELS)")

add-model: ## add a model to the deployment: NAME=gpt2, from the model hub or FROM=a/folder
	@$(DEPLOY) models add $(if $(FROM),--from "$(FROM)") -- "$(or $(NAME),?)"

check-models: ## verify the models' checksums
	@$(DEPLOY) models check

doctor: ## check this host for problems, with a fix for each
	@$(DEPLOY) doctor

up: ## start the server in containers, or apply changed settings
	@$(DEPLOY) up

down: ## stop the server; all data is kept
	@$(DEPLOY) down

status: ## show the services and the server's address
	@$(DEPLOY) status

logs: ## show the services' logs; SERVICE="hub proxy" selects
	@$(DEPLOY) logs $(SERVICE)

links: ## make password links for everybody without a password; NAMES="alice bob" selects
	@$(DEPLOY) links $(NAMES)

roster: ## import the students from a CSV file: FILE=students.csv
	@$(DEPLOY) roster $(if $(YES),--yes) -- "$(or $(FILE),?)"

backup: ## back up all data while the server runs
	@$(DEPLOY) backup $(if $(TO),--to "$(TO)")

restore: ## restore a backup: FROM=docker/backups/2027-01-31T040000Z
	@$(DEPLOY) restore -- "$(or $(FROM),?)"

test: ## run all tests that this machine can run; PYTEST_ARGS="-k exchange" selects
	@$(INSTALL) all
	$(RUN) pytest $(PYTEST_ARGS)

test-fast: ## run the core's tests, in two minutes: no notebook, server, browser or container
	@$(INSTALL) all
	$(RUN) pytest $(PYTEST_ARGS) -m "not ($(NOT_FAST))"

test-containers: ## run the tests that start whole deployments (need a Docker engine, root, `make images`)
	@$(INSTALL) all
	LOGITLAB_TEST_DEPLOYMENTS=1 $(RUN) pytest $(CONTAINER_ARGS)

glossary: ## make docs/glossary.md and its table of exercises from course/terms/ and source/
	@$(INSTALL) all
	@$(RUN) tests.course.glossary

release: ## generate release/, the student version, from source/
	@$(INSTALL) all
	"$(VENV)/bin/logitlab" generate --repository

wheel: ## build dist/logitlab_grading-*.whl, our grading for plain nbgrader
	"$(PYTHON)" -m hub.host.wheel dist

models: ## train the checkpoints that notebooks load, from their seeds
	@$(INSTALL) all
	$(RUN) course.training train

prove: ## verify the tests of every exercise against right and wrong answers
	@$(INSTALL) all
	"$(VENV)/bin/logitlab" prove --symmetric

mutants: ## run mutants of the guard's, exchange's, firewall's and GPU rules; MODULES selects
	@$(INSTALL) all
	$(RUN) tests.mutation $(MODULES)

bench: ## measure startup, cell, library, model-loading, kernel and grading times; an hour and more
	@$(INSTALL) all
	$(RUN) tests.bench
	$(RUN) tests.bench.library
	$(RUN) tests.bench.grading
	$(RUN) tests.bench.classes
	$(RUN) tests.bench.models
	$(RUN) tests.bench.kernels
	$(RUN) tests.bench.plain

bench-containers: ## time a class logging in at once, against a plain hub in containers; STUDENTS=10
	@$(INSTALL) all
	LOGITLAB_TEST_DEPLOYMENTS=1 $(RUN) tests.bench.containers $(if $(STUDENTS),--students $(STUDENTS))

lint: ## check lint rules, import contracts, format and types; changes nothing
	@$(INSTALL) all
	$(RUN) ruff check .
	"$(VENV)/bin/lint-imports" --no-cache --no-logo
	$(RUN) ruff format --check .
	$(RUN) mypy course hub tests

format: ## format the code and apply the linter's fixes
	@$(INSTALL) dev
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

lock: ## write the lock files for requirements/*.in, keeping their versions
	@$(INSTALL) dev
	$(RUN) hub.host.install.locks write

upgrade-lock: ## write the lock files with the newest versions that fit
	@$(INSTALL) dev
	$(RUN) hub.host.install.locks write --upgrade

check-locks: ## check that the lock files are up to date and resolve on every supported Python
	@$(INSTALL) dev
	$(RUN) hub.host.install.locks check

clean: ## remove the environment and caches; courses and their data are elsewhere
	rm -rf "$(VENV)" build dist artifacts *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

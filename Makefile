# Each target is a line or two over a command line; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
TORCH_BACKEND ?=
PORT ?=
# Three test files at a time, as tests wait for half of their time; PYTEST_ARGS="-k exchange"
# chooses, and runs one at a time.
PYTEST_ARGS ?= -n 3 --dist loadfile --no-loadscope-reorder
# What starts notebooks, servers, browsers and containers, or takes long without.
NOT_FAST = kernel or hub or browser or docker or slow or long
CONTAINER_ARGS ?= tests/docker tests/executor/test_assignments.py tests/attacks/test_gateway.py \
                  tests/attacks/test_server_access.py

INSTALL = TORCH_BACKEND="$(TORCH_BACKEND)" "$(PYTHON)" -m hub.host.install --venv "$(VENV)"
RUN = "$(VENV)/bin/python" -m

DEPLOY = "$(PYTHON)" -m hub.host.deploy

.PHONY: help serve images add-model check-models doctor up down status logs links roster backup \
        restore test test-fast test-containers release models prove bench bench-containers lint \
        format lock upgrade-lock check-locks clean
.DEFAULT_GOAL := help

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 17

serve: ## install what is missing and start a demonstration course on localhost (PORT=8000)
	@$(INSTALL) server
	@LOGITLAB_PORT="$(PORT)" exec "$(VENV)/bin/logitlab" serve

images: ## build the images of the container shape; MODELS="gpt2" bakes models in
	@$(DEPLOY) images $(if $(MODELS),--models "$(MODELS)")

add-model: ## put weights where images and students find them: NAME=gpt2, or with FROM=a/folder
	@$(DEPLOY) models add $(if $(FROM),--from "$(FROM)") -- "$(or $(NAME),?)"

check-models: ## are those weights as they were when they were added?
	@$(DEPLOY) models check

doctor: ## what on this host would stop a server in containers, and how to mend it
	@$(DEPLOY) doctor

up: ## start the server in containers, or apply changed settings
	@$(DEPLOY) up

down: ## stop it; all work is kept
	@$(DEPLOY) down

status: ## what of it runs, and at which address
	@$(DEPLOY) status

logs: ## what its parts say; SERVICE="hub proxy" chooses
	@$(DEPLOY) logs $(SERVICE)

links: ## one-time links to set a password, for who has none; NAMES="alice bob" chooses
	@$(DEPLOY) links $(NAMES)

roster: ## bring in the students of a CSV file: FILE=students.csv
	@$(DEPLOY) roster $(if $(YES),--yes) -- "$(or $(FILE),?)"

backup: ## copy everything that cannot be made again, while it runs
	@$(DEPLOY) backup $(if $(TO),--to "$(TO)")

restore: ## bring a backup back: FROM=docker/backups/2027-01-31T040000Z
	@$(DEPLOY) restore -- "$(or $(FROM),?)"

test: ## all tests that this machine can run; PYTEST_ARGS="-k exchange" chooses
	@$(INSTALL) all
	$(RUN) pytest $(PYTEST_ARGS)

test-fast: ## the tests of the core, within two minutes: no notebook, server, browser or container
	@$(INSTALL) all
	$(RUN) pytest $(PYTEST_ARGS) -m "not ($(NOT_FAST))"

test-containers: ## the tests that put up whole deployments (Docker engine, root, `make images`)
	@$(INSTALL) all
	LOGITLAB_TEST_DEPLOYMENTS=1 $(RUN) pytest $(CONTAINER_ARGS)

release: ## make release/, what students get, from source/
	@$(INSTALL) all
	"$(VENV)/bin/logitlab" generate --repository

models: ## train the checkpoints that notebooks load, from their seeds
	@$(INSTALL) all
	$(RUN) course.training train

prove: ## reference, stub, wrong and alternative answers of every exercise, graded
	@$(INSTALL) all
	"$(VENV)/bin/logitlab" prove --copies

bench: ## how long a user waits: for the server, a cell, each step of the library, a model's weights
	@$(INSTALL) all
	$(RUN) tests.bench
	$(RUN) tests.bench.library
	$(RUN) tests.bench.models

bench-containers: ## a class that logs in together, against a plain hub in containers; STUDENTS=10
	@$(INSTALL) all
	LOGITLAB_TEST_DEPLOYMENTS=1 $(RUN) tests.bench.containers $(if $(STUDENTS),--students $(STUDENTS))

lint: ## linter, imports, format and types, changing nothing
	@$(INSTALL) all
	$(RUN) ruff check .
	"$(VENV)/bin/lint-imports" --no-cache --no-logo
	$(RUN) ruff format --check .
	$(RUN) mypy course hub tests

format: ## rewrite the code as the formatter and the linter's fixes would have it
	@$(INSTALL) dev
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

lock: ## write the lock files for requirements/*.in, keeping the versions they have
	@$(INSTALL) dev
	$(RUN) hub.host.install.locks write

upgrade-lock: ## write the lock files with the newest versions that fit
	@$(INSTALL) dev
	$(RUN) hub.host.install.locks write --upgrade

check-locks: ## are the lock files clean, fresh, and good for every Python we support?
	@$(INSTALL) dev
	$(RUN) hub.host.install.locks check

clean: ## remove the environment and caches; courses and their data lie elsewhere
	rm -rf "$(VENV)" build dist artifacts *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

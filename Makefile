# What one does with Atoll, by name. Everything runs on the Node that package-lock.json pins; the system's Node and npm
# only install it.

MAKEFLAGS += --no-print-directory --silent
NODE := node_modules/.bin/node
NPM := npm --loglevel=error
# npm writes this file last: it is as old as the last whole installation.
INSTALLED := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench validate
.PHONY: docker-build docker-build-base docker-build-train docker-build-scripts docker-train-shell docker-format docker-clean

help: ## show this text
	sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-20s %s\n' "$$name" "$$text"; done

setup: $(INSTALLED) ## install what package-lock.json states, if that has changed

$(INSTALLED): package-lock.json
	echo "Installing dependencies (npm ci) …" >&2
	$(NPM) ci --no-progress >&2
	touch $@

demo: setup ## rehearse federated averaging: 3 nodes in a ring over a wide-area network
	$(NODE) packages/cli/bin/atoll.mjs train digits nodes=3 maxSteps=400 \
		strategy=fedavg strategy.H=20 network.profile=wan network.topology=ring

test: setup ## run all tests; TEST="packages/network -t ring" runs some
	$(NPM) run test -- $(TEST)

lint: setup ## check style, imports and types
	$(NPM) run lint
	$(NPM) run typecheck

bench: setup ## measure speed and memory; prints a table
	$(NPM) run bench

validate: setup ## hold the network model against formulas and brute force; prints a table
	$(NPM) run validate

# Containers: docker, or ENGINE=podman. The user of the images is never root; files that are mounted stay those of whoever
# runs make.
ENGINE ?= docker
BASE_IMAGE ?= $(or $(ATOLL_BASE_IMAGE),node:24-bookworm-slim)
USER_ID := $(shell id -u)
GROUP_ID := $(shell id -g)
# Images that newer ones have taken the place of go, if nothing needs them; stages of docker's older builder with them, but
# for the one with dependencies, which takes long to make.
PRUNE = for stage in sources manifests $(1); do $(ENGINE) image prune --force --filter label=atoll.image=$$stage >/dev/null; done
BUILD = $(ENGINE) build --file docker/Dockerfile --build-arg BASE_IMAGE=$(BASE_IMAGE) \
	$(if $(filter-out 0,$(USER_ID)),--build-arg USER_ID=$(USER_ID) --build-arg GROUP_ID=$(GROUP_ID))

docker-build: docker-build-base docker-build-train docker-build-scripts ## build all images

docker-build-base: ## build atoll/base: Node, ssh, tc
	$(BUILD) --target base --tag atoll/base:latest .
	$(call PRUNE,base)

docker-build-train: ## build atoll/train: what trains
	$(BUILD) --target train --tag atoll/train:latest .
	$(call PRUNE,train)

docker-build-scripts: ## build atoll/scripts: formatter, type check, tests
	$(BUILD) --target scripts --tag atoll/scripts:latest .
	$(call PRUNE,scripts)

docker-train-shell: docker-build-train ## open a shell where atoll trains; results go to the volume atoll-runs
	$(ENGINE) run --rm --interactive $$(test -t 0 && echo --tty) --no-healthcheck --shm-size $(or $(SHM_SIZE),2g) \
		--volume atoll-runs:/atoll/runs --volume atoll-cache:/home/atoll/.cache --volume atoll-data:/data \
		--env ATOLL_DATA=/data atoll/train:latest bash

docker-format: docker-build-scripts ## format the code with the formatter of the image
	$(ENGINE) run --rm --no-healthcheck --network none --user $(USER_ID):$(GROUP_ID) --volume "$(CURDIR)":/clone \
		--workdir /clone atoll/scripts:latest biome check --write .

docker-clean: ## remove the images and the volumes of docker-train-shell; sandboxes are ended by npx atoll sandbox stop
	$(ENGINE) volume rm --force atoll-runs atoll-cache atoll-data
	$(ENGINE) image rm --force atoll/base:latest atoll/train:latest atoll/scripts:latest
	$(ENGINE) image prune --force --filter label=atoll.image

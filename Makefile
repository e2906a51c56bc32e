# What one does with Atoll, by name. Everything runs on the Node that package-lock.json pins; the system's Node and npm
# only install it.

MAKEFLAGS += --no-print-directory --silent
NODE := node_modules/.bin/node
NPM := npm --loglevel=error
# npm writes this file last: it is as old as the last whole installation.
INSTALLED := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench validate

help: ## show this text
	sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-8s %s\n' "$$name" "$$text"; done

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

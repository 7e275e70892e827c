# Everything runs in .venv, which is made once and again when requirements.txt changes.
PYTHON ?= python3
PROFILE ?= demo
CORES ?= all
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m fergan

.DEFAULT_GOAL := help
.PHONY: help book check-data run test bench prune lint clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

# A line of a path file, relative to it, puts the project on Python's path: a copied or moved project runs its own code.
$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11 to 3.13 is needed; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@for folder in $(VENV)/lib/python3*/site-packages; do echo ../../../.. > $$folder/project.pth; done
	@touch $@

book: $(READY) ## make what is not of the present state and build the book (PROFILE=demo, DATA=folder of photographs, CORES=all)
	@$(RUN) book --profile "$(PROFILE)" --data "$$DATA" --cores $(CORES)

check-data: $(READY) ## look whether the photographs are what they should be (PROFILE=paper, DATA=folder of photographs)
	@$(RUN) check-data --profile "$(PROFILE)" --data "$$DATA"

run: $(READY) ## run one page with parameters changed: make run PAGE=04_emotions/experiment-5 ARGS="n_folds=5"
	@test -n "$(PAGE)" || { echo 'say which: make run PAGE=04_emotions/experiment-5 ARGS="n_folds=5"'; exit 1; }
	@$(RUN) run "$(PAGE)" $(ARGS) --profile "$(PROFILE)" --data "$$DATA"

test: $(READY) ## run the tests, a small book among them
	$(VENV)/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: $(READY) ## measure what is claimed to be fast, beside its peers, in a quarter of an hour: one table, one dated record
	$(VENV)/bin/python benchmarks

prune: $(READY) ## delete the results that the book no longer uses (PROFILE)
	@$(RUN) prune --profile "$(PROFILE)" --data "$$DATA"

lint: $(READY) ## check style
	$(VENV)/bin/python -m ruff check .

clean: ## remove what was built; keep the environment, trained networks and results
	rm -rf _build book/executed .pytest_cache .ruff_cache

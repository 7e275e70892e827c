# Everything runs in .venv, which is made once and again when requirements.txt changes.
PYTHON ?= python3
PROFILE ?= demo
CORES ?= all
VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python -m fergan

.DEFAULT_GOAL := help
.PHONY: help book check-data estimate run test bench serve pictures lint clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11 to 3.13 is needed; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

book: $(READY) ## execute what is out of date and build the book (PROFILE=demo, DATA=folder of photographs, CORES=all)
	$(RUN) book --profile $(PROFILE) --data "$(DATA)" --cores $(CORES)

check-data: $(READY) ## look whether the photographs are what they should be (PROFILE=paper, DATA=folder of photographs)
	$(RUN) check-data --profile $(PROFILE) --data "$(DATA)"

estimate: $(READY) ## say about how long the rest of the book will take (PROFILE, DATA, CORES)
	$(RUN) estimate --profile $(PROFILE) --data "$(DATA)" --cores $(CORES)

run: $(READY) ## run one notebook: make run NOTEBOOK=04_emotions ARGS="experiment=1 n_folds=5"
	@test -n "$(NOTEBOOK)" || { echo 'say which: make run NOTEBOOK=04_emotions ARGS="experiment=1"'; exit 1; }
	$(RUN) run $(NOTEBOOK) $(ARGS)

test: $(READY) ## run the tests, a small book among them
	$(VENV)/bin/python -m pytest -m "not book" -n auto --maxprocesses 4 --dist loadfile
	$(VENV)/bin/python -m pytest -m book

bench: $(READY) ## measure what is claimed to be fast
	for file in benchmarks/*.py; do $(VENV)/bin/python $$file || exit 1; done

serve: $(READY) ## show the book at http://localhost:8000 and build its prose again as it is saved
	$(RUN) serve --profile $(PROFILE) --data "$(DATA)"

pictures: $(READY) ## draw the README's pictures from the built book (needs Chromium)
	$(RUN) pictures --profile $(PROFILE) --data "$(DATA)"

lint: $(READY) ## check style
	$(VENV)/bin/ruff check .

clean: ## remove what was built; keep the environment, trained networks and results
	rm -rf _build book/executed .pytest_cache .ruff_cache

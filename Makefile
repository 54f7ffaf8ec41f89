# humanflows: `make book` on a fresh machine builds the book from the simulated world; see `make help`.
PROFILE ?= twin
PYTHON  ?= python3
PORT    ?= 8000
BIN     := .venv/bin
READY   := .venv/.ready
# The environment must not leak in: another checkout on PYTHONPATH would be tested instead of this one.
unexport PYTHONPATH
unexport PYTHONHOME
# Notebooks draw into themselves; another backend would leave the book without figures.
unexport MPLBACKEND
export PYTHONDONTWRITEBYTECODE = 1

.DEFAULT_GOAL := help
.PHONY: help setup book notebooks refresh validate ensemble test serve clean

help:  ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1|\2/' \
	    | while IFS='|' read -r name what; do printf '  make %-10s %s\n' "$$name" "$$what"; done
	@echo
	@echo '  Variables: PROFILE=$(PROFILE) (twin: simulated world, no download; world: real sources), PYTHON=$(PYTHON)'

setup: $(READY)  ## Create .venv with the pinned packages (nothing outside this folder)

# Rebuilt only when the pins or the package's own metadata change.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "humanflows needs Python 3.11 or newer, \
	found " + sys.version.split()[0] + "; name another with make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	@touch $@

book: $(READY)  ## Run the stale notebooks and build the book in _build/html (warnings are errors)
	$(BIN)/humanflows book --profile $(PROFILE)

notebooks: $(READY)  ## Run the stale notebooks only
	$(BIN)/humanflows notebooks --profile $(PROFILE)

refresh: $(READY)  ## Run every notebook again, fresh or not, and build the book
	$(BIN)/humanflows book --profile $(PROFILE) --refresh

# About two dozen trainings, two side by side; what has run is kept.
validate: $(READY)  ## Run the validation protocols (hours for the world) and print their scores
	$(BIN)/humanflows harmonise --profile $(PROFILE)
	$(BIN)/humanflows protocols --profile $(PROFILE)

# Members that saw everything, members that did not see one part each, members blind to the last years: what has run is
# kept. Then intervals, calibrated on what members never saw.
ensemble: $(READY)  ## Train the ensembles (hours for the world) and calibrate their intervals
	$(BIN)/humanflows harmonise --profile $(PROFILE)
	for design in whole crossed blind; do \
	    $(BIN)/humanflows ensemble --profile $(PROFILE) --design $$design || exit 1; done
	$(BIN)/humanflows protocols --profile $(PROFILE) --only net-third
	$(BIN)/humanflows intervals --profile $(PROFILE)

# The summary of pytest is the last line. The notebooks' committed, rounded outputs are compared by nbval. Two workers
# with one thread each: on two cores more threads only wait for one another.
test: $(READY)  ## Lint, floors, book of the twin, unit tests and notebooks
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/humanflows book --profile twin
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests notebooks --nbval-lax --nbval-current-env \
	    --nbval-sanitize-with tests/nbval_sanitize.cfg --numprocesses 2 --dist loadscope

serve:  ## Read the book at http://localhost:8000 (PORT=8000)
	@test -f _build/html/index.html || { echo 'no book yet: run make book first'; exit 1; }
	$(PYTHON) -m http.server --directory _build/html --bind 127.0.0.1 $(PORT)

clean:  ## Remove what was built; keep downloaded sources and .venv
	rm -rf _build/artifacts _build/executed _build/stage _build/book _build/html _build/tables _build/countries _build/book.log _build/html.json _build/stage.json

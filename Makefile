# The two commands of the README are `make run` and `make test`. Each builds what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The tests' own Helm, built by .ci/helm where Go is at hand; tests whose Helm is not there are skipped.
HELM_CACHE := $(or $(WARROOM_HELM_CACHE),$(HOME)/.cache/warroom-helm)
export WARROOM_HELM_V3 ?= $(HELM_CACHE)/v3/helm
export WARROOM_HELM_V4 ?= $(HELM_CACHE)/v4/helm

.PHONY: run test helm check format lock bench screenshots clean

run: $(STAMP)
	@$(BIN)/warroom drill

test: $(STAMP) helm
	$(BIN)/pytest

helm:
	@.ci/helm

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: $(STAMP)
	$(BIN)/python -m screenshots

bench: $(STAMP)
	$(BIN)/python -m bench

# The lock is made from pyproject.toml; CI and both commands install exactly it.
lock:
	$(PYTHON) -m venv $(VENV)/lock-tools
	$(VENV)/lock-tools/bin/pip install --quiet uv
	$(VENV)/lock-tools/bin/uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock pyproject.toml

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# Where PYTHONDONTWRITEBYTECODE is set, an editable install would be compiled again at every start.
	$(BIN)/python -m compileall -q tui widgets probes incident runbook drill
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

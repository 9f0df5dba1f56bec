# The whole set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

DB ?= shop.duckdb

unexport PYTHONDONTWRITEBYTECODE # compiled once, not by each process that the tests start

.PHONY: help demo serve test test-slow lint format docs bench relevance clean

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable . --group dev
	@touch $@

demo: $(READY) ## index the standard library's documentation and ask it questions
	$(BIN)/hybridsearch demo

serve: $(READY) ## answer over HTTP on port 7700; DB=shop.duckdb names another file
	$(BIN)/hybridsearch serve $(DB)

test: $(READY) ## the tests, without the long proofs
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not whole"

test-slow: $(READY) ## the long proofs: many kills, every failing write, many random cases
	@test -z "$$MEILISEARCH_PYTHON" || $(BIN)/pip install --quiet --group official
	$(BIN)/python -m pytest -n 2 --dist worksteal -m slow

lint: $(READY) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## put the code in the form that lint asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## write docs/api.md anew from the route table
	$(BIN)/python -m hybridsearch.server.reference > docs/api.md

bench: $(READY) ## speed and memory, each beside the bare library in the same run
	$(BIN)/python -m tests.benchmarks

relevance: $(READY) ## nDCG on every judged set beside other libraries, into docs/relevance.md
	$(BIN)/pip install --quiet --group relevance
	$(BIN)/python -m tests.relevance
	$(BIN)/python -m pytest -m whole tests/test_relevance.py

clean: ## remove what was made here
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

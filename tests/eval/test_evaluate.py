"""Evaluation through the real engine, on collections of a few lines, with BM25 (no model needed)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_collection import CORPUS, QRELS, QUERIES, write_collection, write_lines

from lsr.engine.index import Index
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval import DEFAULT_MEASURES, evaluate_encoder, evaluate_index, load_collection, measure_run


def test_an_encoder_is_evaluated_over_all_judged_queries(tmp_path: Path) -> None:
    steps: list[tuple[str, int, int | None]] = []
    result = evaluate_encoder(
        "bm25", load_collection(write_collection(tmp_path)), progress=lambda *step: steps.append(step)
    )
    assert list(result.measures) == list(DEFAULT_MEASURES)
    assert result.queries == 3
    assert set(result.run) == set(QRELS)
    assert [document for document, _ in result.run["q3"]] == ["d5"]
    assert result.measures == measure_run(result.run, QRELS).mean
    assert result.measures["R@100"] == 1.0
    assert result.per_query["nDCG@10"]["q3"] == 1.0
    assert result.warnings == ()
    assert steps == [("index", 5, 5), ("search", 3, 3)]


def test_the_record_is_json_and_says_what_made_the_figures(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    settings = {"k1": 1.2, "b": 0.75}
    result = evaluate_encoder("bm25", collection, settings=settings, command="lsr eval …", threads=2, seed=1)
    record = json.loads(json.dumps(result.to_dict()))
    assert list(record) == [*DEFAULT_MEASURES, "queries", "provenance"]
    provenance = record["provenance"]
    assert provenance["command"] == "lsr eval …"
    assert (provenance["threads"], provenance["seed"], provenance["warnings"]) == (2, 1, [])
    found = provenance["collection"]
    assert (found["name"], found["split"], found["documents"], found["queries"]) == ("birds", "test", 5, 3)
    assert (found["judgements"], found["drop_self_matches"]) == (5, False)
    assert found["digest"] == collection.digest()
    system = provenance["system"]
    assert (system["encoder"], system["query_idf"], system["scoring"], system["k"]) == (
        "bm25",
        "collection",
        "impacts",
        100,
    )
    assert system["encoder_settings"].items() >= settings.items()
    assert len(system["fingerprint"]) >= 16
    assert system["documents"] == 5
    assert {"generation", "format_version"} <= set(system)
    assert {"index_seconds", "search_seconds"} <= set(provenance["timings"])


def test_a_query_of_unknown_words_and_a_blank_one_count_as_zero(tmp_path: Path) -> None:
    queries = {"known": "moon", "unknown": "xylophone", "blank": "  "}
    qrels = {query: {"d5": 1} for query in queries}
    result = evaluate_encoder("bm25", load_collection(write_collection(tmp_path, queries=queries, qrels=qrels)))
    assert result.measures == dict.fromkeys(DEFAULT_MEASURES, pytest.approx(1 / 3))
    assert result.run["unknown"] == []
    assert result.warnings == ("1 judged queries are blank (first: 'blank'); they count as 0",)
    assert result.provenance["warnings"] == list(result.warnings)


def test_judgements_of_documents_and_queries_that_are_not_there_are_counted_and_told(tmp_path: Path) -> None:
    qrels = {"q3": {"d5": 1, "gone": 1}, "lost": {"d1": 1}}
    result = evaluate_encoder("bm25", load_collection(write_collection(tmp_path, qrels=qrels)))
    assert result.queries == 2
    assert result.per_query["R@100"] == {"q3": 0.5, "lost": 0.0}
    assert result.measures["R@100"] == 0.25
    assert [warning.split(" (")[0] for warning in result.warnings] == [
        "1 judged queries have no text in queries.jsonl",
        "1 of 3 judged documents are not in the index",
    ]


def test_duplicate_and_empty_documents_are_told(tmp_path: Path) -> None:
    write_collection(tmp_path)
    lines = [{"_id": "d5", "text": "the sun"}, {"_id": "d5", "text": "the moon"}, {"_id": "e", "text": " "}]
    write_lines(tmp_path / "corpus.jsonl", [{**line, "title": ""} for line in lines])
    collection = load_collection(tmp_path)
    result = evaluate_encoder("bm25", collection)
    assert result.run["q3"][0][0] == "d5"
    assert {
        "1 documents have the id of an earlier one, and replaced it",
        "1 documents are empty and cannot be found",
    } <= set(result.warnings)


def test_self_matches_are_dropped_and_the_depth_stays(tmp_path: Path) -> None:
    """As in ArguAna: every query is a document, and finds itself first."""
    corpus = {f"a{i}": f"argument about taxes {i}" for i in range(130)}
    queries = {"a0": corpus["a0"]}
    write_collection(tmp_path / "arguana", corpus, queries, {"a0": {"a1": 1}})
    dropped = evaluate_encoder("bm25", load_collection(tmp_path / "arguana"))
    kept = evaluate_encoder("bm25", load_collection(tmp_path / "arguana", drop_self_matches=False))
    assert kept.run["a0"][0][0] == "a0"
    assert len(kept.run["a0"]) == len(dropped.run["a0"]) == 100
    assert "a0" not in dict(dropped.run["a0"])
    assert [hit for hit in kept.run["a0"] if hit[0] != "a0"] == dropped.run["a0"][:99]
    assert (kept.measures["MRR@10"], dropped.measures["MRR@10"]) == (0.5, 1.0)
    assert dropped.provenance["collection"]["drop_self_matches"] is True


def test_served_order_is_the_evaluated_order_under_ties(tmp_path: Path) -> None:
    """Equal documents tie, are served in order of insertion, and measure so, here and from the file."""
    corpus = {f"t{i}": "penguins" for i in (5, 9, 1, 7, 3)}
    qrels = {"q": {"t9": 1, "t3": 2}}
    collection = load_collection(write_collection(tmp_path / "ties", corpus, {"q": "penguins"}, qrels))
    result = evaluate_encoder("bm25", collection)
    assert [document for document, _ in result.run["q"]] == list(corpus)
    assert len({score for _, score in result.run["q"]}) == 1
    assert result.measures["MRR@10"] == 0.5
    result.write_run(tmp_path / "run.trec")
    (tmp_path / "qrels").write_text("q 0 t9 1\nq 0 t3 2\n")
    command = [sys.executable, "-m", "ir_measures", str(tmp_path / "qrels"), str(tmp_path / "run.trec")]
    done = subprocess.run([*command, "nDCG@10", "RR@10", "-p", "9"], capture_output=True, text=True, check=True)
    found = dict(line.split("\t") for line in done.stdout.splitlines())
    assert float(found["RR@10"]) == 0.5
    assert float(found["nDCG@10"]) == pytest.approx(result.measures["nDCG@10"], abs=1e-6)


def test_an_open_index_is_evaluated_and_threads_change_nothing(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add(collection.documents())
    with Index.open(tmp_path / "index") as index:
        one, three = (evaluate_index(index, collection, threads=threads) for threads in (1, 3))
    assert one.run == three.run
    assert one.measures == three.measures == evaluate_encoder("bm25", collection).measures


def test_an_index_of_other_documents_is_refused(tmp_path: Path) -> None:
    write_collection(tmp_path / "a")
    other = load_collection(write_collection(tmp_path / "b", {"x": "moon"}, QUERIES, {"q3": {"x": 1}}))
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add(load_collection(tmp_path / "a").documents())
        with pytest.raises(EvaluationError, match="none of the 1 judged documents of b is in the index"):
            evaluate_index(index, other)


def test_a_collection_without_documents_is_refused(tmp_path: Path) -> None:
    (write_collection(tmp_path) / "corpus.jsonl").write_text("")
    with pytest.raises(EvaluationError, match="has no document"):
        evaluate_encoder("bm25", load_collection(tmp_path))


def test_depth_follows_the_measures_and_may_not_fall_below_them(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path))
    assert evaluate_encoder("bm25", collection, measures=["R@300"]).provenance["system"]["k"] == 300
    assert evaluate_encoder("bm25", collection, measures=["P@1"], k=1).provenance["system"]["k"] == 1
    with pytest.raises(EvaluationError, match=r"k is 5, nDCG@10 needs more hits"):
        evaluate_encoder("bm25", collection, measures=["nDCG@10"], k=5)


def test_what_cannot_be_measured_is_refused_before_anything_is_encoded(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path))

    def never(*_: object) -> None:
        raise AssertionError("it indexed")

    with pytest.raises(EvaluationError, match="no measure 'nope'"):
        evaluate_encoder("bm25", collection, measures=["nope"], progress=never)
    with pytest.raises(InvalidSettingError, match="scoring is 'int8'"):
        evaluate_encoder("bm25", collection, scoring="int8", progress=never)  # type: ignore[arg-type]


def test_a_kept_index_is_found_again_and_an_interrupted_one_goes_on(tmp_path: Path) -> None:
    corpus = {**CORPUS, **{f"x{i}": f"filler {i}" for i in range(500)}}  # more than one commit's worth
    collection = load_collection(write_collection(tmp_path / "birds", corpus))
    begun: list[int] = []

    def interrupt(step: str, done: int, total: int | None) -> None:
        begun.append(done)
        raise KeyboardInterrupt

    kept = tmp_path / "kept"
    with pytest.raises(KeyboardInterrupt):
        evaluate_encoder("bm25", collection, directory=kept, progress=interrupt)
    (folder,) = kept.iterdir()
    with Index.open(folder / "index") as index:
        assert 0 < len(index) == begun[0] < len(corpus)
    resumed = evaluate_encoder("bm25", collection, directory=kept)
    assert resumed.warnings == ()
    steps: list[str] = []
    again = evaluate_encoder("bm25", collection, directory=kept, progress=lambda step, *_: steps.append(step))
    assert steps == ["search"]
    assert "index_seconds" not in again.provenance["timings"]
    assert again.run == resumed.run == evaluate_encoder("bm25", collection).run
    evaluate_encoder("bm25", collection, settings={"b": 0.5}, directory=kept)
    assert len(list(kept.iterdir())) == 2  # other settings, other index


def test_float_scoring_ranks_as_the_impacts_do_but_for_their_rounding(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path))
    impacts = evaluate_encoder("bm25", collection)
    exact = evaluate_encoder("bm25", collection, scoring="float")
    assert exact.provenance["system"]["scoring"] == "float"
    for query in QRELS:
        rounded = dict(impacts.run[query])
        assert set(rounded) == {document for document, _ in exact.run[query]}
        for document, score in exact.run[query]:
            assert rounded[document] == pytest.approx(score, rel=0.02)


def test_adi_agrees_with_the_published_bm25(beir: Callable[[str], Path], tmp_path: Path) -> None:
    """Also: our figures are those of ir_measures' command on our run file."""
    collection = load_collection(beir("adi"))
    result = evaluate_encoder("bm25", collection, settings={"k1": 0.9, "b": 0.4})
    assert result.measures["nDCG@10"] == pytest.approx(0.480, abs=0.005)
    result.write_run(tmp_path / "run.trec")
    rows = [f"{q} 0 {d} {g}\n" for q, row in collection.qrels.items() for d, g in row.items()]
    (tmp_path / "qrels").write_text("".join(rows))
    command = [sys.executable, "-m", "ir_measures", str(tmp_path / "qrels"), str(tmp_path / "run.trec")]
    done = subprocess.run([*command, *DEFAULT_MEASURES, "-p", "9"], capture_output=True, text=True, check=True)
    found = {name: float(value) for name, value in (line.split("\t") for line in done.stdout.splitlines())}
    assert {name.replace("RR", "MRR"): value for name, value in found.items()} == pytest.approx(
        result.measures, abs=1e-6
    )


def test_the_corpus_of_the_tests_is_what_the_tests_think(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add(load_collection(write_collection(tmp_path / "birds")).documents())
        assert len(index) == len(CORPUS)

"""Systems: what a person writes, options that are passed on, and that different engines agree on the same words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_collection import CORPUS, QRELS, write_collection, write_lines

from lsr.encoders.settings import Setting
from lsr.engine.index import Index
from lsr.errors import EvaluationError, InvalidSettingError
from lsr.eval import load_collection
from lsr.eval.cost import Cost, measure_cost
from lsr.eval.evaluate import evaluate_system
from lsr.eval.runs import write_run
from lsr.eval.systems import IndexSystem, RunSystem, SystemSpec, open_system, parse_system, system_named
from lsr.eval.systems.engine import check_options
from lsr.eval.systems.fields import SummedSearcher
from lsr.index.options import SearchOptions


@pytest.mark.parametrize(
    ("text", "kind", "name", "settings"),
    [
        ("bm25", "encoder", "bm25", {}),
        ("bm25,k1=1.2,b=0.75", "encoder", "bm25", {"k1": 1.2, "b": 0.75}),
        ("models/own , max_length=128", "encoder", "models/own", {"max_length": 128}),
        ("index:some/{set}", "index", "some/{set}", {}),
        ("run:{set}.trec", "run", "{set}.trec", {}),
        ("bm25s,method=robertson", "bm25s", "bm25s", {"method": "robertson"}),
        ("anserini-bm25,analyzer=english", "anserini-bm25", "anserini-bm25", {"analyzer": "english"}),
    ],
)
def test_a_system_is_read(text: str, kind: str, name: str, settings: dict[str, object]) -> None:
    spec = parse_system(text)
    assert (spec.kind, spec.name, spec.settings, spec.label) == (kind, name, settings, text)


def test_options_of_ours_are_not_the_encoders() -> None:
    spec = parse_system("bm25,label=base,query_idf=collection,scoring=float,k1=1")
    assert spec == SystemSpec("encoder", "bm25", "base", {"k1": 1}, "collection", "float")
    assert parse_system("bm25,search.strategy=scan").search == {"strategy": "scan"}
    assert parse_system("run:{set}.trec").of("scifact") == "scifact.trec"
    assert parse_system("bm25,k1=1.2,label=a b/c").slug == "a_b_c"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no name"),
        (",k1=2", "has no name"),
        ("bm25,k1", "not NAME=VALUE"),
        ("bm25,scoring=int4", "scoring is 'int4'"),
        ("bm25,fields=all", "fields is 'all'"),
        ("bm25,fields=title+text,scoring=float", "impacts only"),
        ("index:x,k1=2", "'k1' means nothing for index"),
        ("index:x,query_idf=min", "'query_idf' means nothing for index"),
        ("index:x,fields=title+text", "fields means nothing"),
        ("run:x,search.a=1", "is not searched"),
        ("bm25s,search.a=1", "search options are for our own engine"),
    ],
)
def test_a_system_that_makes_no_sense_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        parse_system(text)


def test_a_path_that_exists_is_what_lies_there(tmp_path: Path) -> None:
    Index.create(tmp_path / "index", encoder="bm25").close()
    (tmp_path / "run.trec").write_text("")
    assert system_named(str(tmp_path / "index")).kind == "index"
    assert system_named(str(tmp_path / "run.trec")).kind == "run"
    assert system_named("bm25").kind == "encoder"


def test_an_option_that_the_search_does_not_have_is_refused(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        with pytest.raises(InvalidSettingError, match="no option 'frobnicate'"):
            IndexSystem(index, options={"frobnicate": 1})
        with pytest.raises(InvalidSettingError, match="no option 'k'"):
            IndexSystem(index, options={"k": 1})


def test_search_options_reach_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[SearchOptions] = []
    real = Index.search_batch

    def search(self: Index, queries: Sequence[str], **others: Any) -> list[list[tuple[str, float]]]:
        seen.append(others["options"])
        return real(self, queries, **others)

    collection = load_collection(write_collection(tmp_path / "birds"))
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add(collection.documents())
        plain = evaluate_system(IndexSystem(index), collection)
        monkeypatch.setattr(Index, "search_batch", search)
        scanned = evaluate_system(IndexSystem(index, options={"strategy": "scan"}), collection)
        pruned = evaluate_system(IndexSystem(index, options={"recall": 99.9}), collection)
    assert [options.strategy for options in seen] == ["scan", "auto"]
    assert seen[1].overestimate > 1
    assert scanned.run == plain.run
    assert scanned.provenance["system"]["options"] == {"strategy": "scan"}
    assert (scanned.provenance["system"]["approximate"], pruned.provenance["system"]["approximate"]) == (False, True)
    assert "options" not in plain.provenance["system"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "guess"}, "strategy is 'guess'"),
        ({"recall": 12}, "recall is '12'"),
        ({"recall": 99, "strategy": "scan"}, "recall stands for all other"),
    ],
)
def test_illegal_search_options_are_refused(options: dict[str, Setting], message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        check_options(options)


def test_a_run_from_a_file_is_measured_over_all_judged_queries(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    write_run(tmp_path / "r.trec", {"q1": [("d1", 2.0), ("d2", 1.0)], "other": [("d1", 1.0)]})
    result = evaluate_system(RunSystem(tmp_path / "r.trec"), collection)
    assert result.measures["R@100"] == pytest.approx(1 / 3)
    assert result.warnings == (
        "2 judged queries are not in the run; they count as 0",
        "1 queries of the run are not judged; they are left out",
    )
    assert result.provenance["timings"] == {}


def test_a_run_of_another_collection_is_refused(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    write_run(tmp_path / "r.trec", {"other": [("d1", 1.0)]})
    with pytest.raises(EvaluationError, match="no query of the run"):
        evaluate_system(RunSystem(tmp_path / "r.trec"), collection)


def test_self_matches_are_dropped_from_a_run_too(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "arguana", {"a": "x", "b": "y"}, {"a": "x"}, {"a": {"b": 1}})
    write_run(tmp_path / "r.trec", {"a": [("a", 2.0), ("b", 1.0)]})
    result = evaluate_system(RunSystem(tmp_path / "r.trec"), load_collection(folder))
    assert result.run == {"a": [("b", 1.0)]}
    assert result.measures["MRR@10"] == 1.0


@pytest.mark.parametrize("name", ["adi", "med"])
def test_bm25s_and_our_floats_serve_the_same_on_the_same_words(name: str, beir) -> None:  # type: ignore[no-untyped-def]
    collection = load_collection(beir(name))
    figures = {}
    for text in ("bm25,scoring=float", "bm25s"):
        with open_system(parse_system(text), collection) as (system, _):
            figures[text] = evaluate_system(system, collection)
    ours, theirs = figures.values()
    assert ours.measures == pytest.approx(theirs.measures, abs=1e-3)
    same = [set(dict(ours.run[q][:10])) == set(dict(theirs.run[q][:10])) for q in ours.run]
    assert np.mean(same) >= 0.99  # float32 against float64: what ties there may not tie here


def test_bm25s_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path))
    with (
        pytest.raises(InvalidSettingError, match="bm25s has no setting 'scoring'"),
        open_system(parse_system("bm25s,scoring=float"), collection),
    ):
        pass


class _Fixed:
    """Serves the best of one list of scores."""

    def __init__(self, scores: dict[str, float]) -> None:
        self._hits = sorted(((d, s) for d, s in scores.items() if s > 0), key=lambda hit: (-hit[1], hit[0]))

    def search_batch(self, queries: Sequence[str], *, k: int, threads: int = 1) -> list[list[tuple[str, float]]]:
        return [self._hits[:k] for _ in queries]


@given(
    st.lists(st.dictionaries(st.integers(0, 40), st.integers(0, 6), max_size=40), min_size=1, max_size=3),
    st.integers(1, 12),
)
def test_sums_over_parts_are_those_of_an_exhaustive_search(parts: list[dict[int, int]], k: int) -> None:
    named = [{f"d{document:02}": float(score) for document, score in part.items()} for part in parts]
    total: dict[str, float] = {}
    for part in named:
        for document, score in part.items():
            total[document] = total.get(document, 0.0) + score
    expected = sorted(((d, s) for d, s in total.items() if s > 0), key=lambda hit: (-hit[1], hit[0]))[:k]
    (found,) = SummedSearcher([_Fixed(part) for part in named]).search_batch(["q"], k=k)
    assert found == expected


def test_two_fields_add_the_scores_of_title_and_text(tmp_path: Path) -> None:
    write_collection(tmp_path / "c", queries={"q": "penguins swim"}, qrels={"q": {"both": 1}})
    documents = [
        {"_id": "both", "title": "penguins", "text": "they swim in water"},
        {"_id": "title", "title": "penguins", "text": "no word of it"},
        {"_id": "text", "title": "birds", "text": "they swim in air"},
    ]
    write_lines(tmp_path / "c" / "corpus.jsonl", documents)
    collection = load_collection(tmp_path / "c")
    with open_system(parse_system("bm25,fields=title+text"), collection) as (system, report):
        result = evaluate_system(system, collection, cost=True)
    scores = dict(result.run["q"])
    assert result.run["q"][0][0] == "both"
    assert scores["both"] == pytest.approx(scores["title"] + scores["text"])
    assert set(result.provenance["system"]["fields"]) == {"title", "text"}
    assert report.warnings == ()
    assert result.cost is not None
    assert result.cost.terms_per_document is not None


def test_without_titles_there_is_one_field(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "c"))
    with open_system(parse_system("bm25,fields=title+text"), collection) as (system, report):
        two = evaluate_system(system, collection)
    with open_system(parse_system("bm25"), collection) as (system, _):
        one = evaluate_system(system, collection)
    assert report.warnings == ("no document of c has a title: one field is searched",)
    assert two.measures == one.measures


def test_cost_is_taken_of_what_can_be_asked(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    with open_system(parse_system("bm25"), collection) as (system, report):
        result = evaluate_system(system, collection, cost=True)
        again = measure_cost(system, [*collection.queries.values(), " "])
    cost = result.cost
    assert cost is not None
    assert cost.latency_queries == 3
    assert cost.p50_ms is not None
    assert cost.p99_ms is not None
    assert 0 < cost.p50_ms <= cost.p99_ms
    assert cost.queries_per_second
    assert cost.index_bytes
    assert (cost.terms_per_document, cost.flops) == (again.terms_per_document, again.flops)
    assert report.documents_per_second
    assert Cost.from_dict(cost.to_dict()) == cost
    assert Cost.from_dict({"p50_ms": 1.0, "of a later version": 2}).p50_ms == 1.0
    write_run(tmp_path / "r.trec", {"q1": [("d1", 2.0)]})
    nothing = evaluate_system(RunSystem(tmp_path / "r.trec"), collection, cost=True).cost
    assert nothing is not None
    assert (nothing.p50_ms, nothing.index_bytes, nothing.queries_per_second) == (None, None, None)


def test_flops_are_postings_of_the_querys_terms_over_documents(tmp_path: Path) -> None:
    """By hand: of 'penguins that swim', penguin is in two of five documents and swim in one; and so on."""
    collection = load_collection(write_collection(tmp_path / "birds"))
    with open_system(parse_system("bm25"), collection) as (system, _):
        size = system.size(["penguins that swim", "moon"])
    assert size.documents == len(CORPUS)
    assert size.flops == pytest.approx((3 / 5 + 1 / 5) / 2)
    assert size.query_terms == pytest.approx((2 + 1) / 2)


def test_a_result_is_a_table_for_notebooks(tmp_path: Path) -> None:
    collection = load_collection(write_collection(tmp_path / "birds"))
    with open_system(parse_system("bm25"), collection) as (system, _):
        frame = evaluate_system(system, collection).to_frame()
    assert list(frame.index) == list(QRELS)
    assert frame["nDCG@10"].mean() > 0

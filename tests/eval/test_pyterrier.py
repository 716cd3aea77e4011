"""Our index inside PyTerrier. No Java is needed for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_collection import QRELS, QUERIES, write_collection

from lsr.engine.index import Index
from lsr.errors import InvalidSettingError
from lsr.eval import evaluate_index, load_collection
from lsr.eval.pyterrier import retriever

pandas = pytest.importorskip("pandas")
pyterrier = pytest.importorskip("pyterrier", reason="needs the extra pyterrier (python-terrier)")


@pytest.fixture
def birds(tmp_path: Path) -> Iterator[Index]:
    folder = write_collection(tmp_path / "birds")
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add(load_collection(folder).documents())
        yield index


def test_it_answers_frames_in_served_order(birds: Index) -> None:
    queries = pandas.DataFrame([{"qid": q, "query": t, "kept": 7} for q, t in [*QUERIES.items(), ("blank", " ")]])
    found = retriever(birds, k=3, text=True).transform(queries)
    for query, text in QUERIES.items():
        rows = found[found.qid == query]
        hits = birds.search_batch([text], k=3)[0]
        assert rows.docno.tolist() == [document for document, _ in hits]
        assert rows["rank"].tolist() == list(range(len(hits)))
        assert rows.score.tolist() == pytest.approx([score for _, score in hits])
    assert set(found.kept) == {7}
    assert "blank" not in set(found.qid)
    assert found.text.str.len().min() > 0


def test_no_queries_and_no_hits_give_an_empty_frame(birds: Index) -> None:
    for rows in ([], [{"qid": "q", "query": "xylophone"}]):
        found = retriever(birds).transform(pandas.DataFrame(rows, columns=["qid", "query"]))
        assert len(found) == 0
        assert {"qid", "query", "docno", "score", "rank"} <= set(found.columns)


def test_it_goes_through_pipelines_and_experiments(birds: Index, tmp_path: Path) -> None:
    from ir_measures import RR, nDCG

    queries = pandas.DataFrame([{"qid": q, "query": QUERIES[q]} for q in QRELS])
    qrels = pandas.DataFrame([{"qid": q, "docno": d, "label": g} for q, row in QRELS.items() for d, g in row.items()])
    system = retriever(birds)
    table = pyterrier.Experiment([system, retriever(birds, k=2) % 1], queries, qrels, [nDCG @ 10, RR @ 10])
    ours = evaluate_index(birds, load_collection(tmp_path / "birds")).measures
    assert table["nDCG@10"].tolist()[0] == pytest.approx(ours["nDCG@10"])
    assert table["RR@10"].tolist()[0] == pytest.approx(ours["MRR@10"])
    assert repr(system).startswith("lsr(")


def test_bad_settings_are_refused(birds: Index) -> None:
    with pytest.raises(InvalidSettingError, match="k is 0"):
        retriever(birds, k=0)
    with pytest.raises(InvalidSettingError, match="no option 'alpha_beta'"):
        retriever(birds, alpha_beta=1)

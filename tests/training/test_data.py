"""Training data: bad rows are named, nothing judged is trained on, batches are a function of their number."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from encoder_checkpoints import small_tokenizer

from lsr.errors import RecipeError, SourceError, TrainingDataError
from lsr.training.data.batches import Sampler, collated
from lsr.training.data.leaks import judged_queries, query_key
from lsr.training.data.pairs import read_pairs
from lsr.training.data.prepare import prepare
from lsr.training.data.prepared import PreparedData
from lsr.training.data.ragged import Ragged
from lsr.training.recipe import Data, PseudoQueries, Sampling, Source

GOOD = {"query": "the moon", "pos": "the moon and the sea"}


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def prepared(tmp_path: Path, rows: list[dict[str, Any]], **settings: Any) -> PreparedData:
    write(tmp_path / "pairs.jsonl", *rows)
    small_tokenizer().save(str(tmp_path / "tokenizer.json"))
    source = settings.pop("source", Source("pairs.jsonl"))
    data = Data(tmp_path / "cache", (source,), **{"holdout": 0, **settings})
    return prepare(data, tmp_path / "tokenizer.json", 16, tmp_path, 0, lambda line: None)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object is expected"),
        ("[" * 100_000, "not JSON"),
        ({"query": "moon"}, "no field 'pos'"),
        ({"query": " ", "pos": "sea"}, "query is ' '"),
        ({"query": "moon", "pos": ""}, "pos is ''"),
        ({"query": "moon", "pos": 3}, "pos is 3"),
        ({**GOOD, "neg": ["ice", ""]}, "neg[1] is ''"),
        ({**GOOD, "neg": 3}, "neg is 3"),
        ({**GOOD, "neg": ["ice"], "scores": [1.0]}, "it must be 2 finite numbers"),
        ({**GOOD, "scores": [float("nan")]}, "it must be 1 finite numbers"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(tmp_path: Path, row: Any, said: str) -> None:
    write(tmp_path / "pairs.jsonl", GOOD, row)
    with pytest.raises(TrainingDataError) as error:
        list(read_pairs(Source("pairs.jsonl"), tmp_path))
    assert said in str(error.value)
    assert f"{tmp_path / 'pairs.jsonl'}, line 2" in str(error.value)


def test_preparation_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError):
        prepared(tmp_path, [GOOD, {"query": "moon"}])
    assert list((tmp_path / "cache").iterdir()) == []


def test_absent_and_empty_sources(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list(read_pairs(Source("none.jsonl"), tmp_path))
    write(tmp_path / "empty.jsonl")
    with pytest.raises(TrainingDataError, match="no training pair"):
        list(read_pairs(Source("empty.jsonl"), tmp_path))


def test_exclusion_limit_and_share(tmp_path: Path) -> None:
    rows = [{**GOOD, "query": f"moon {n}", "src": "ab"[n % 2]} for n in range(40)]
    write(tmp_path / "p.jsonl", *rows)
    kept = [pair.query for pair in read_pairs(Source("p.jsonl", exclude={"src": ("b",)}, limit=3), tmp_path)]
    assert kept == ["moon 0", "moon 2", "moon 4"]
    assert len(list(read_pairs(Source("p.jsonl", share=0.25), tmp_path))) == 10


def test_gzip_and_parquet(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    rows = [{**GOOD, "neg": ["ice", "bread"], "scores": [3.0, 1.0, 0.5]}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "p.parquet")
    assert len(list(read_pairs(Source("p.jsonl.gz"), tmp_path))) == 1
    [pair] = read_pairs(Source("p.parquet"), tmp_path)
    assert pair.negatives == ("ice", "bread")
    assert pair.scores == (3.0, 1.0, 0.5)
    with pytest.raises(TrainingDataError, match="does not exist"):
        list(read_pairs(Source("none.parquet"), tmp_path))


def beir(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "qrels").mkdir()
    write(folder / "corpus.jsonl", {"_id": "d1", "title": "Moon", "text": "tide"}, {"_id": "d2", "text": "bread"})
    queries = [{"_id": "q1", "text": "Moon, and tide?"}, {"_id": "q2", "text": "bread"}]
    write(folder / "queries.jsonl", *queries)
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq2\td2\t1\nq2\td1\t0\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


def test_a_beir_split_gives_its_relevant_pairs(tmp_path: Path) -> None:
    beir(tmp_path / "set")
    [pair] = read_pairs(Source("beir:set", split="train"), tmp_path)
    assert (pair.query, pair.positive) == ("bread", "bread")


def test_no_judged_query_is_trained_on(tmp_path: Path) -> None:
    beir(tmp_path / "judged" / "set")
    keys = judged_queries([tmp_path / "judged"], ["test"])
    assert keys == {query_key("moon AND tide")}
    rows = [GOOD, {"query": "moon and  TIDE", "pos": "x"}, {"query": "bread", "pos": "bread"}]
    data = prepared(tmp_path, rows, judged=(tmp_path / "judged",), judged_splits=("test",))
    assert data.manifest.sources[0]["judged"] == 1
    assert data.manifest.queries == 2
    with pytest.raises(RecipeError, match="holds no judged collection"):
        judged_queries([tmp_path / "cache"], ["test"])


def test_texts_are_deduplicated_and_blank_ones_left_out(tmp_path: Path) -> None:
    rows = [
        GOOD,
        {"query": "The Moon!", "pos": "The MOON, and the sea."},  # the same pair
        {"query": "tide", "pos": "the moon and the sea"},  # the same document
        {"query": "\u200b", "pos": "the moon"},  # no token
        {"query": "ice", "pos": "ice and bread"},
    ]
    data = prepared(tmp_path, rows, pseudo=PseudoQueries(per_document=2.0, question_share=0.5))
    assert data.manifest.sources[0] | {"kept": 3, "repeated": 1, "blank": 1} == data.manifest.sources[0]
    assert data.manifest.queries == 3
    assert len(data.queries) == 3 + data.manifest.pseudo_queries
    texts = data.texts("queries")
    assert len(texts) == len(data.queries)
    tokenizer = small_tokenizer()
    for query, document, _ in data.pseudo.tolist():
        assert query >= 3
        # what a pseudo-query holds beyond an opener, its document holds too
        last = data.queries[query][-1]
        assert last in data.documents[document]
        assert tokenizer.encode(texts[query], add_special_tokens=False).ids[-1] == last


def test_what_is_prepared_is_found_again_unless_its_source_changed(tmp_path: Path) -> None:
    first = prepared(tmp_path, [GOOD])
    assert prepared(tmp_path, [GOOD]).folder == first.folder
    with pytest.raises(TrainingDataError, match="is not what"):
        prepared(tmp_path, [GOOD, {"query": "ice", "pos": "ice"}])


def test_two_that_prepare_the_same_at_once_end_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lsr.training.data.prepare import _Preparation

    run = _Preparation.run

    def overtaken(preparation: _Preparation, say: Any) -> None:
        monkeypatch.setattr(_Preparation, "run", run)
        prepared(tmp_path, [GOOD])  # the other, which is done first
        run(preparation, say)

    monkeypatch.setattr(_Preparation, "run", overtaken)
    found = prepared(tmp_path, [GOOD])
    assert len(found.documents) == 1
    assert [path.name for path in found.folder.parent.iterdir()] == [found.folder.name]


def test_what_is_prepared_needs_neither_its_sources_nor_judged_collections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "judged").mkdir()
    write(tmp_path / "judged" / "queries.jsonl", {"_id": "1", "text": "the sea"})
    monkeypatch.setenv("LSR_TEST_SOURCES", str(tmp_path))
    settings: dict[str, Any] = {
        "source": Source("${LSR_TEST_SOURCES}/pairs.jsonl"),
        "judged": (tmp_path / "judged",),
    }
    first = prepared(tmp_path, [GOOD], **settings)
    (tmp_path / "judged" / "queries.jsonl").unlink()
    (tmp_path / "pairs.jsonl").unlink()
    data = Data(tmp_path / "cache", (settings["source"],), judged=settings["judged"], holdout=0)
    for away in (False, True):
        if away:
            monkeypatch.delenv("LSR_TEST_SOURCES")
        found = prepare(data, tmp_path / "tokenizer.json", 16, tmp_path, 0, lambda line: None)
        assert found.folder == first.folder


def test_keys_of_caches_stay_what_they_were(tmp_path: Path) -> None:
    """Data that was prepared by an earlier version must be found: it may be all that is left of its sources."""
    found = prepared(tmp_path, [GOOD])
    assert found.manifest.key == "04e1fa897ed8fbc8f15b0d175f1f46dbee8c1d5a3fa6d7296ba47926e15910cd"


def test_held_out_queries_are_never_drawn(tmp_path: Path) -> None:
    rows = [{"query": f"moon {a} {b}", "pos": f"{a} {b} sea"} for a in "abcdefgh" for b in "stuvwxyz"]
    data = prepared(tmp_path, rows, holdout=6, pseudo=PseudoQueries(per_document=1.0))
    held = set(data.pairs[data.held_out, 0].tolist())
    assert len(held) == 6
    held_documents = set(data.pairs[data.held_out, 1].tolist())
    sampler = Sampler(data, Sampling(queries=8, group=4, pseudo_share=0.5), [Source("x")], [], seed=1)
    drawn = [sampler.draw(number) for number in range(60)]
    assert not held & {int(q) for batch in drawn for q in batch.queries}
    assert not held_documents & {int(batch.documents[c]) for batch in drawn for c in batch.own[:, 0]}


def test_a_batch_is_a_function_of_seed_and_number(tmp_path: Path) -> None:
    rows = [{"query": f"moon {a} {b}", "pos": f"{a} {b} sea"} for a in "abcdefgh" for b in "stuvwxyz"]
    data = prepared(tmp_path, rows)
    mined = [np.random.default_rng(0).integers(-1, 64, (64, 5)).astype(np.int32)]

    def draw(seed: int, number: int) -> list[int]:
        sampler = Sampler(data, Sampling(queries=8, mined_negatives=2), [Source("x")], mined, seed)
        batch = sampler.draw(number)
        assert batch.own.shape == (8, 3)
        positives = dict(data.pairs[:, :2].tolist())
        for query, row in zip(batch.queries.tolist(), batch.own, strict=True):
            assert int(batch.documents[row[0]]) == positives[query]
        return [*batch.queries.tolist(), *batch.documents.tolist()]

    assert draw(1, 7) == draw(1, 7)
    assert draw(1, 7) != draw(1, 8)
    assert draw(1, 7) != draw(2, 7)


def test_tensors_of_a_batch(tmp_path: Path) -> None:
    rows = [{"query": "the moon the", "pos": "moon sea"}, {"query": "ice", "pos": "ice ice bread year"}]
    data = prepared(tmp_path, rows)
    batch = Sampler(data, Sampling(queries=2), [Source("x")], [], 0).draw(0)
    found = collated(data, batch, chunk=1)
    frame = data.manifest.prefix, data.manifest.suffix
    for number, document in enumerate(batch.documents.tolist()):
        ids, mask = found["chunks"][int(found["order"][number])]
        expected = [*frame[0], *data.documents[document].tolist(), *frame[1]]
        assert ids[0][mask[0]].tolist() == expected
    for row, query in enumerate(batch.queries.tolist()):
        terms = found["columns"][found["queries"][row] > 0].tolist()
        assert terms == sorted(set(data.queries[query].tolist()))
    assert [len(ids[0]) for ids, _ in found["chunks"]] == [6, 4]


def test_documents_are_of_the_group_that_their_query_was_drawn_in(tmp_path: Path) -> None:
    rows = [{"query": "the moon", "pos": "moon sea"}, {"query": "ice", "pos": "ice bread"}]
    mined = [np.array([[1], [0]], np.int32)]
    drawn = Sampler(prepared(tmp_path, rows), Sampling(queries=4, group=2), [Source("x")], mined, 0).draw(0)
    assert drawn.own.tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert drawn.groups.tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_ragged_rows_come_back(tmp_path: Path) -> None:
    rows = [[1, 2], [], [3]]
    Ragged.concat([Ragged.of(rows, np.uint16), Ragged.of([], np.uint16)]).save(tmp_path, "x")
    found = Ragged.load(tmp_path, "x")
    assert [row.tolist() for row in (found[0], found[1], found[2])] == rows
    assert found.values.dtype == np.uint16


def test_given_negatives_are_drawn_once_each(tmp_path: Path) -> None:
    rows = [{"query": f"q {n}", "pos": f"p {n}", "neg": [f"n {n} {k}" for k in "abc"]} for n in range(12)]
    data = prepared(tmp_path, rows)
    sampler = Sampler(data, Sampling(queries=6, given_negatives=3), [Source("x")], [], 5)
    for number in range(4):
        drawn = sampler.draw(number)
        own = drawn.documents[drawn.own]
        assert all(len(set(row)) == 4 for row in own.tolist())


def test_negatives_of_a_repeated_pair_are_gathered(tmp_path: Path) -> None:
    """Triples, as MS MARCO has them, are one pair with a negative in each row."""
    rows: list[dict[str, Any]] = [{**GOOD, "neg": [negative]} for negative in ("ice", "bread", "ice")]
    rows += [{"query": "tide", "pos": "sea", "neg": [n], "scores": [s, 0.0]} for n, s in (("ice", 1.0), ("year", 9.0))]
    data = prepared(tmp_path, rows)
    assert data.manifest.sources[0] | {"kept": 2, "repeated": 3} == data.manifest.sources[0]
    texts = data.texts("documents")
    assert [[texts[int(n)] for n in data.negatives[row]] for row in range(2)] == [["ice", "bread"], ["ice"]]
    assert data.scores[1].tolist() == [1.0, 0.0]


def test_what_was_prepared_without_a_judged_collection_is_not_taken_for_checked(tmp_path: Path) -> None:
    for name in ("first", "second"):
        beir(tmp_path / "judged" / name)
    first = prepared(tmp_path, [GOOD], judged=(tmp_path / "judged" / "first",))
    assert prepared(tmp_path, [GOOD], judged=(tmp_path / "judged" / "first",)).folder == first.folder
    assert prepared(tmp_path, [GOOD]).folder == first.folder  # nothing is asked for
    with pytest.raises(TrainingDataError, match="without a look at the judged collection second"):
        prepared(tmp_path, [GOOD], judged=(tmp_path / "judged",))
    manifest = first.folder / "manifest.json"
    record = json.loads(manifest.read_text())
    del record["judged"]  # an earlier version
    manifest.write_text(json.dumps(record))
    assert prepared(tmp_path, [GOOD], judged=(tmp_path / "judged",)).folder == first.folder


@pytest.mark.parametrize("line", ["nonsense", '{"id": "1"}', "[1]", '{"_id": "1", "text": 3}'])
def test_a_bad_line_of_judged_queries_is_named(tmp_path: Path, line: str) -> None:
    write(tmp_path / "queries.jsonl", {"_id": "1", "text": "sea"}, line)
    with pytest.raises(RecipeError, match=r"queries\.jsonl, line 2"):
        judged_queries([tmp_path], ["test"])


def test_judgements_without_a_head_protect_their_first_query(tmp_path: Path) -> None:
    write(tmp_path / "queries.jsonl", {"_id": "1", "text": "sea"}, {"_id": "2", "text": "ice"})
    (tmp_path / "qrels").mkdir()
    write(tmp_path / "qrels" / "test.tsv", "1 0 d1 1")
    assert judged_queries([tmp_path], ["test"]) == {"sea"}


def test_nothing_left_to_train_on_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no training pair is left: 0 judged, 0 repeated, 2 blank"):
        prepared(tmp_path, [{"query": "\u200b", "pos": "sea"}, {"query": "sea", "pos": "\u200b"}])


def test_an_excluded_field_that_no_row_has_is_refused(tmp_path: Path) -> None:
    """A misspelt field would let in what is to be left out."""
    write(tmp_path / "pairs.jsonl", GOOD, {**GOOD, "src": "gpl"})
    assert len(list(read_pairs(Source("pairs.jsonl", exclude={"src": ("gpl",)}), tmp_path))) == 1
    with pytest.raises(TrainingDataError, match="has the field 'scr'"):
        list(read_pairs(Source("pairs.jsonl", exclude={"scr": ("gpl",)}), tmp_path))


def test_it_is_said_when_nothing_can_be_held_out(tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", GOOD)
    small_tokenizer().save(str(tmp_path / "tokenizer.json"))
    said: list[str] = []
    data = Data(tmp_path / "cache", (Source("pairs.jsonl"),), holdout=5)
    prepare(data, tmp_path / "tokenizer.json", 16, tmp_path, 0, said.append)
    assert any("nothing is held out" in line for line in said)

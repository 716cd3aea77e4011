"""Negatives and teachers' scores for a file of pairs: against plain formulas, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_help import write_cross_encoder, write_pairs, write_teacher

from lsr.documents import Document
from lsr.engine.index import Index
from lsr.errors import InvalidSettingError, TrainingDataError, UnknownEncoderError
from lsr.training.data.leaks import text_key
from lsr.training.offline import (
    Judge,
    MineSettings,
    distill_scores,
    mine_negatives,
    parse_judge,
)
from lsr.training.offline.files import written
from lsr.training.offline.judges import make_scorer
from lsr.training.tables_data import Source

TEXTS = [
    "the moon pulls the sea",
    "the sea is deep and the moon is far",
    "bread rises in a warm year",
    "ice on a bridge in a cold year",
    "a bridge to the sea",
    "tide and moon and tide again",
]


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def pairs(tmp_path: Path) -> Source:
    rows = [{"query": "moon and sea", "pos": text, "n": n} for n, text in enumerate(TEXTS[:1])]
    rows += [{"query": "moon and sea", "pos": TEXTS[1].upper(), "n": 1}]
    rows += [{"query": "bread", "pos": TEXTS[2], "n": 2}, {"query": "a cold bridge", "pos": TEXTS[3], "n": 3}]
    write(tmp_path / "pairs.jsonl", *rows)
    return Source(str(tmp_path / "pairs.jsonl"))


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    rows = [{"_id": str(n), "text": text} for n, text in enumerate(TEXTS)]
    return str(write(tmp_path / "corpus.jsonl", *rows))


def test_mined_by_bm25_no_positive_of_the_query_is_a_negative(pairs: Source, corpus: str, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    report = mine_negatives(pairs, out, MineSettings(negatives=2), corpus=[corpus])
    rows = read(out)
    assert [row["n"] for row in rows] == [0, 1, 2, 3]  # other fields stay, and the order
    # Both texts that answer "moon and sea" are positives of that query, whatever their case.
    assert set(rows[0]["neg"]) == set(rows[1]["neg"]) == {TEXTS[4], TEXTS[5]}
    assert rows[3]["neg"] == [TEXTS[4]]
    assert report.short == 2
    assert (report.rows, report.queries, report.documents, report.negatives) == (4, 3, 6, 5)


def test_without_a_corpus_the_other_positives_are_ranked(pairs: Source, tmp_path: Path) -> None:
    report = mine_negatives(pairs, tmp_path / "out.jsonl.gz", MineSettings())
    assert report.documents == 4
    assert all(text not in row["neg"] for row in read(tmp_path / "out.jsonl.gz") for text in (row["pos"],))


def test_an_index_ranks_its_own_documents(pairs: Source, tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add([Document(f"d{n}", text) for n, text in enumerate(TEXTS)])
    out = tmp_path / "out.jsonl"
    mine_negatives(pairs, out, MineSettings(negatives=2), index=tmp_path / "index")
    assert {text for row in read(out) for text in row["neg"]} <= set(TEXTS)
    assert read(out)[3]["neg"] == [TEXTS[4]]


def test_windows_choices_and_given_negatives(tmp_path: Path) -> None:
    source = Source(str(write_pairs(tmp_path / "many.jsonl", 60)))
    first = mine_negatives(source, tmp_path / "a.jsonl", MineSettings(negatives=50, last=6))
    assert first.short == 60
    top = [row["neg"] for row in read(tmp_path / "a.jsonl")]
    mine_negatives(source, tmp_path / "b.jsonl", MineSettings(negatives=50, first=3, last=6))
    assert [row["neg"] for row in read(tmp_path / "b.jsonl")] == [row[2:] for row in top]
    settings = MineSettings(negatives=2, last=6, pick="random", seed=4)
    mine_negatives(source, tmp_path / "c.jsonl", settings)
    mine_negatives(source, tmp_path / "d.jsonl", settings)
    chosen = [row["neg"] for row in read(tmp_path / "c.jsonl")]
    assert chosen == [row["neg"] for row in read(tmp_path / "d.jsonl")]
    assert chosen != [row[:2] for row in top]
    assert all(set(some) <= set(row) for some, row in zip(chosen, top, strict=True))
    # What a row has stays in front and is not mined again, unless it is to be replaced.
    mined = Source(str(tmp_path / "c.jsonl"))
    mine_negatives(mined, tmp_path / "e.jsonl", MineSettings(negatives=3, last=6))
    for before, row in zip(chosen, read(tmp_path / "e.jsonl"), strict=True):
        assert row["neg"][:2] == before
        assert len({text_key(text) for text in row["neg"]}) == len(row["neg"])
    mine_negatives(mined, tmp_path / "f.jsonl", MineSettings(negatives=50, last=6, replace=True))
    assert [row["neg"] for row in read(tmp_path / "f.jsonl")] == top


def test_the_ceiling_by_the_ranking_and_by_a_judge(tmp_path: Path) -> None:
    source = Source(str(write_pairs(tmp_path / "many.jsonl", 60)))
    teacher = Judge("dense", str(write_teacher(tmp_path / "teacher")))
    report = mine_negatives(source, tmp_path / "own.jsonl", MineSettings(negatives=9, last=9, ceiling=0.9), by=teacher)
    assert report.filtered > 0
    settings = MineSettings(negatives=9, last=9, ceiling=0.9, filter_by=teacher)
    mine_negatives(source, tmp_path / "judged.jsonl", settings)
    network = make_scorer(teacher, 256)
    for name in ("own.jsonl", "judged.jsonl"):
        rows = read(tmp_path / name)
        best: dict[str, float] = {}
        for row in rows:
            score = network.scores([row["query"]], [row["pos"]], np.zeros((1, 2), np.int64), lambda *_: None)[0]
            best[row["query"]] = max(best.get(row["query"], -1), float(score))
        for row in rows[:15]:
            numbers = np.array([(0, n) for n in range(len(row["neg"]))], np.int64).reshape(-1, 2)
            found = network.scores([row["query"]], row["neg"], numbers, lambda *_: None)
            assert (found <= 0.9 * best[row["query"]] + 1e-3).all()


def test_a_cross_encoder_filters_but_does_not_rank(pairs: Source, tmp_path: Path) -> None:
    judge = Judge("cross-encoder", str(write_cross_encoder(tmp_path / "cross")))
    mine_negatives(pairs, tmp_path / "o.jsonl", MineSettings(ceiling=1.0, filter_by=judge))
    with pytest.raises(InvalidSettingError, match="cannot rank a whole corpus"):
        mine_negatives(pairs, tmp_path / "p.jsonl", MineSettings(), by=judge)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"query": "moon"}, "no field 'pos'"),
        ({"query": "moon", "pos": " "}, "pos is ' '"),
        ({"query": "moon", "pos": "sea", "neg": [""]}, r"neg\[0\] is ''"),
        ({"query": "moon", "pos": "sea", "neg": ["ice"], "scores": [1]}, "it must be 2 finite numbers"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    source = Source(str(write(tmp_path / "pairs.jsonl", {"query": "moon", "pos": "sea", "neg": ["ice"]}, row)))
    before = sorted(tmp_path.iterdir())
    for work in (
        lambda to: mine_negatives(source, to, MineSettings()),
        lambda to: distill_scores(source, to, [Judge("bm25")]),
    ):
        with pytest.raises(TrainingDataError, match=said) as error:
            work(tmp_path / "out.jsonl")
        assert "pairs.jsonl, line 2" in str(error.value)
    assert sorted(tmp_path.iterdir()) == before


def test_what_excludes_each_other_or_is_there_already(pairs: Source, corpus: str, tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").write_text("kept")
    with pytest.raises(InvalidSettingError, match=r"there\.jsonl exists"):
        mine_negatives(pairs, tmp_path / "there.jsonl", MineSettings())
    assert (tmp_path / "there.jsonl").read_text() == "kept"
    with pytest.raises(InvalidSettingError, match="does not exist"):
        distill_scores(pairs, tmp_path / "none" / "out.jsonl", [Judge("bm25")])
    with pytest.raises(InvalidSettingError, match="its own documents"):
        mine_negatives(pairs, tmp_path / "o.jsonl", MineSettings(), index=tmp_path, corpus=[corpus])
    with pytest.raises(InvalidSettingError, match="no teacher"):
        distill_scores(pairs, tmp_path / "o.jsonl", [])
    with pytest.raises(InvalidSettingError, match="needs a ceiling"):
        MineSettings(filter_by=Judge("bm25"))
    with pytest.raises(InvalidSettingError, match="seed is -1"):
        MineSettings(seed=-1)
    with pytest.raises(InvalidSettingError, match="take the place of 'pos'"):
        mine_negatives(Source(pairs.path, negatives="pos"), tmp_path / "o.jsonl", MineSettings())
    if Path("/proc/self").is_dir():  # takes no file, whoever asks
        with pytest.raises(InvalidSettingError, match="nothing can be written into /proc"):
            mine_negatives(pairs, Path("/proc/o.jsonl"), MineSettings())
    scored = Source(str(write(tmp_path / "s.jsonl", {"query": "a", "pos": "b", "neg": ["c"], "scores": [2, 1]})))
    with pytest.raises(TrainingDataError, match="line 1: the row has scores"):
        mine_negatives(scored, tmp_path / "o.jsonl", MineSettings())


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), written(tmp_path / "out.jsonl") as put:
        put({"a": 1})
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_judges_by_their_words() -> None:
    assert parse_judge("bm25") == Judge("bm25")
    assert parse_judge("bm25@0.5") == Judge("bm25", "", 0.5)
    assert parse_judge("dense:a@b/c") == Judge("dense", "a@b/c")
    assert parse_judge("sparse:org/model@2") == Judge("sparse", "org/model", 2)
    for text, said in (
        ("tfidf", "names no teacher"),
        ("dense", "a checkpoint behind it"),
        ("bm25:x", "nothing behind it"),
        ("bm25@0", "must be above 0"),
    ):
        with pytest.raises(InvalidSettingError, match=said):
            parse_judge(text)


def test_scores_of_bm25_are_those_of_an_index(tmp_path: Path) -> None:
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add([Document(str(n), text) for n, text in enumerate(TEXTS)])
        [hits] = index.search_batch(["moon on the sea"], k=6)
    numbers = np.array([(0, int(id)) for id, _ in hits], np.int64)
    found = make_scorer(Judge("bm25"), 64).scores(["moon on the sea"], TEXTS, numbers, lambda *_: None)
    assert found.tolist() == pytest.approx([score for _, score in hits], rel=0.02)  # an index has impacts of 8 bits


def test_the_ensemble_is_the_weighted_mean_of_what_is_normalised(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"query": "moon and sea", "pos": TEXTS[0], "neg": TEXTS[2:5], "keep": True},
        {"query": "bread", "pos": TEXTS[2], "scores": [7]},  # nothing to compare with: no scores
    ]
    source = Source(str(write(tmp_path / "pairs.jsonl", *rows)))
    cross = Judge("cross-encoder", str(write_cross_encoder(tmp_path / "cross")), 3.0)
    report = distill_scores(source, tmp_path / "out.jsonl", [Judge("bm25"), cross], scale=10)
    assert (report.rows, report.without, report.scores) == (2, 1, 4)
    first, second = read(tmp_path / "out.jsonl")
    assert first["keep"] is True
    assert "scores" not in second
    numbers = np.array([(0, n) for n in range(4)], np.int64)
    texts = [TEXTS[0], *TEXTS[2:5]]
    expected = np.zeros(4)
    for judge in (Judge("bm25"), cross):
        # The statistics of BM25 are those of the scored rows' texts.
        raw = make_scorer(judge, 256).scores(["moon and sea"], texts, numbers, lambda *_: None)
        expected += judge.weight * (raw - raw.min()) / (raw.max() - raw.min())
    assert first["scores"] == pytest.approx((expected * 10 / 4).tolist(), abs=1e-3)
    raw_report = distill_scores(source, tmp_path / "raw.jsonl", [cross], normalise="none")
    assert raw_report.without == 0
    assert len(read(tmp_path / "raw.jsonl")[1]["scores"]) == 1


def test_a_cross_encoder_gives_the_logits_of_transformers(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

    for labels in (1, 2):
        folder = write_cross_encoder(tmp_path / str(labels), labels)
        numbers = np.array([(0, n) for n in range(6)], np.int64)
        found = make_scorer(Judge("cross-encoder", str(folder)), 40).scores(["moon"], TEXTS, numbers, lambda *_: None)
        make: Any = PreTrainedTokenizerFast
        tokenizer = make(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
        model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
        inputs = tokenizer(["moon"] * 6, TEXTS, padding=True, return_tensors="pt", return_token_type_ids=True)
        with torch.inference_mode():
            logits = model(**inputs).logits.numpy()
        expected = logits[:, 0] if labels == 1 else logits[:, 1] - logits[:, 0]
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_sparse_teacher_gives_dot_products(tmp_path: Path) -> None:
    from encoder_checkpoints import save_checkpoint

    from lsr.encoders.registry import load_encoder

    folder = save_checkpoint(tmp_path / "model")
    numbers = np.array([(q, d) for q in range(2) for d in range(6)], np.int64)
    queries = ["moon", "a bridge"]
    found = make_scorer(Judge("sparse", str(folder)), 40).scores(queries, TEXTS, numbers, lambda *_: None)
    encoder = load_encoder(str(folder), settings={"max_length": 40})
    asked, pool = encoder.encode_queries(queries).to_dense(), encoder.encode_documents(TEXTS).to_dense()
    assert found == pytest.approx((asked @ pool.T).reshape(-1), rel=1e-4)


def test_checkpoints_that_cannot_judge_are_named(pairs: Source, tmp_path: Path) -> None:
    body = write_teacher(tmp_path / "body")
    three = write_cross_encoder(tmp_path / "three", 3)
    odd = write_cross_encoder(tmp_path / "odd")
    record = json.loads((odd / "tokenizer.json").read_text())
    record["model"]["vocab"]["another"] = len(record["model"]["vocab"])
    (odd / "tokenizer.json").write_text(json.dumps(record))
    before = sorted(tmp_path.iterdir())
    for judge, kind, said in (
        (Judge("dense", str(tmp_path / "no")), TrainingDataError, r"dense:.*no has no config\.json"),
        (Judge("cross-encoder", str(body)), TrainingDataError, "has no classifier"),
        (Judge("cross-encoder", str(three)), TrainingDataError, "has 3 labels"),
        (Judge("cross-encoder", str(odd)), TrainingDataError, "has 76 tokens, its model 75"),
        (Judge("sparse", "splade-tny"), UnknownEncoderError, "no encoder 'splade-tny'"),
    ):
        with pytest.raises(kind, match=said):
            distill_scores(pairs, tmp_path / "out.jsonl", [judge], normalise="none")
    assert sorted(tmp_path.iterdir()) == before

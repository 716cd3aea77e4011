"""`lsr eval compare`, `explain`, `vocabulary`, `lsr datasets`: as a person meets them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from tiny_collection import CORPUS, QRELS, write_collection

from lsr.errors import EvaluationError
from lsr.eval.gather import gather
from lsr.eval.records import read_record
from lsr.eval.runs import write_run

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from cli_help import lsr, refused


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    return write_collection(tmp_path / "birds")


@pytest.fixture
def runs(tmp_path: Path, birds: Path) -> tuple[Path, Path]:
    """Two runs made by `lsr eval`, with their records."""
    paths = tmp_path / "one.trec", tmp_path / "two.trec"
    for path, k1 in zip(paths, ("0.9", "0"), strict=True):
        outcome = lsr(
            *("eval", "--collection", birds, "--encoder", "bm25", "--encoder-setting", f"k1={k1}"),
            *("--run", path, "--cost"),
        )
        assert outcome.code == 0, outcome
        assert "queries/s" in outcome.out
    return paths


def test_a_run_has_a_record_beside_it(runs: tuple[Path, Path]) -> None:
    record = read_record(runs[0].with_suffix(".json"))
    assert (record.system, record.set) == ("bm25,k1=0.9", "birds")
    assert record.cost is not None
    assert record.texts["q1"] == "penguins that swim"
    assert record.run() is not None
    assert list(record.per_query["nDCG@10"]) == list(QRELS)


def test_a_file_that_is_no_record_is_not_replaced(tmp_path: Path, birds: Path) -> None:
    """`--run x.trec --json > x.json` would lose one of the two."""
    (tmp_path / "x.json").write_text("")
    command = ("eval", "--collection", birds, "--encoder", "bm25", "--run")
    assert "which is no record\nGive the run another name" in refused(*command, tmp_path / "x.trec")
    assert not (tmp_path / "x.trec").exists()
    assert "would have the name of its record" in refused(*command, tmp_path / "y.json")
    for _ in range(2):  # its own record is
        assert lsr(*command, tmp_path / "z.trec").code == 0


def test_runs_are_compared_without_naming_the_collection_again(runs: tuple[Path, Path], tmp_path: Path) -> None:
    page, paper = tmp_path / "r.html", tmp_path / "r.tex"
    outcome = lsr("eval", "compare", *runs, "--report", page, "--report", paper, "--resamples", "99")
    assert outcome.code == 0, outcome
    assert "bm25,k1=0 against bm25,k1=0.9 by nDCG@10" in outcome.out
    assert "p50 ms" in outcome.out
    assert "<svg" in page.read_text()
    assert r"\toprule" in paper.read_text()


def test_a_foreign_run_needs_something_to_be_measured_against(tmp_path: Path, birds: Path) -> None:
    write_run(tmp_path / "theirs.trec", {"q1": [("d2", 2.0), ("d1", 1.0)]})
    write_run(tmp_path / "ours.trec", {"q1": [("d1", 2.0), ("d2", 1.0)], "q3": [("d5", 1.0)]})
    assert "Add --collection" in refused("eval", "compare", tmp_path / "theirs.trec")
    names = (f"A={tmp_path}/theirs.trec", f"B={tmp_path}/ours.trec")
    by_folder = lsr("eval", "compare", *names, "--collection", birds, "--json", "--resamples", "99")
    by_file = lsr("eval", "compare", *names, "--qrels", birds / "qrels" / "test.tsv", "--json", "--resamples", "99")
    found = by_folder.json
    assert found["systems"] == ["A", "B"]
    assert [row["nDCG@10"] for row in found["results"]] == [row["nDCG@10"] for row in by_file.json["results"]]
    assert found["queries"][0]["query"] == "q3"
    assert found["differences"][0]["wins"] == 2


def test_a_measure_that_the_record_lacks_is_taken_from_its_run(runs: tuple[Path, Path], birds: Path) -> None:
    outcome = lsr("eval", "compare", *runs, "--measure", "AP", "--collection", birds, "--json", "--resamples", "99")
    assert outcome.json["measures"] == ["AP"]
    assert "was not measured by AP" in refused("eval", "compare", *runs, "--measure", "AP")


def test_a_folder_of_records(runs: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("[]")  # no record: passed over
    records = gather([str(tmp_path)])
    assert sorted(record.system for record in records) == ["bm25,k1=0", "bm25,k1=0.9"]
    with pytest.raises(EvaluationError, match="holds several systems"):
        gather([f"label={tmp_path}"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvaluationError, match="no record of an evaluation"):
        gather([str(tmp_path / "empty")])


def test_records_of_one_name_are_told_apart_by_their_places(runs: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
        for suffix in (".json", ".trec"):
            shutil.copy(runs[0].with_suffix(suffix), tmp_path / folder / f"run{suffix}")
    records = gather([str(tmp_path / "monday"), str(tmp_path / "tuesday")])
    assert [record.system for record in records] == ["bm25,k1=0.9 (monday/run)", "bm25,k1=0.9 (tuesday/run)"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.trec",), "there is no run nothing.trec"),
        (("{run}", "{run}"), "is there twice"),
        (("{run}", "--baseline", "zzz"), "the baseline 'zzz'"),
        (("{run}", "--report", "r.pdf"), "no report has the suffix '.pdf'"),
        (("{run}", "--column", "x"), "--column is for --published only"),
        (("{run}", "--queries", "x"), "--queries is given without judgements"),
        (("{run}", "--published", "nothing.yaml"), "cannot read nothing.yaml"),
        (("{json}",), "is no record of an evaluation"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    runs: tuple[Path, Path], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "x.json").write_text("{}")
    places = {"run": str(runs[0]), "json": str(tmp_path / "x.json")}
    assert message in refused("eval", "compare", *(argument.format(**places) for argument in arguments))


def test_an_index_may_be_called_compare(tmp_path: Path, birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert lsr("index", birds, "--to", "compare", "--encoder", "bm25").code == 0
    outcome = lsr("eval", "./compare", "--collection", birds, "--json")
    assert outcome.json["R@100"] == 1.0
    missing = lsr("eval", "compare", "--collection", str(birds))
    assert missing.code == 2
    assert "Missing argument 'RUN…'" in missing.err


def test_explain_shows_terms_and_what_is_ahead(tmp_path: Path, birds: Path) -> None:
    assert lsr("index", birds, "--to", tmp_path / "index", "--encoder", "bm25").code == 0
    write_run(tmp_path / "theirs.trec", {"q2": [("d1", 3.0), ("d4", 2.0)]})
    command = ("eval", "explain", "q2", tmp_path / "index", tmp_path / "theirs.trec", "--collection", birds)
    outcome = lsr(*command)
    assert outcome.code == 0, outcome
    assert "d4 (grade 3): rank" in outcome.out
    assert "has    sourdough" in outcome.out
    assert "above  1. d1 (not judged)" in outcome.out
    told = lsr(*command, "--json").json
    assert [one["system"] for one in told] == [str(tmp_path / "index"), str(tmp_path / "theirs.trec")]
    assert "is not judged" in refused("eval", "explain", "zzz", tmp_path / "index", "--collection", birds)
    assert "no collection is named" in refused("eval", "explain", "q2", tmp_path / "index")


def test_vocabulary_of_an_index_and_of_an_encoder(tmp_path: Path, birds: Path) -> None:
    assert lsr("index", birds, "--to", tmp_path / "index", "--encoder", "bm25").code == 0
    by_index = lsr("eval", "vocabulary", tmp_path / "index", "--collection", birds, "--json").json
    by_encoder = lsr("eval", "vocabulary", "bm25", "--collection", birds, "--json").json
    assert by_index == by_encoder
    assert by_index["documents"] == len(CORPUS)
    assert "terms a document" in lsr("eval", "vocabulary", tmp_path / "index").out
    assert "is not an index" in refused("eval", "vocabulary", "bm25")
    assert "has no vectors of ours" in refused("eval", "vocabulary", "bm25s", "--collection", birds)


def test_datasets_lists_what_is_known_and_here(tmp_path: Path, birds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSR_DATA", raising=False)
    outcome = lsr("datasets", "--data", tmp_path)
    assert outcome.code == 0
    assert str(birds) in outcome.out
    assert "scifact" in outcome.out
    found = lsr("datasets", "--data", tmp_path, "--json").json
    assert next(one for one in found if one["name"] == "birds")["here"] == str(birds)
    assert "msmarco-passage/trec-dl-2019/judged" in lsr("datasets", "--find", "dl-2019", "--json").json
    assert "no id of ir_datasets" in lsr("datasets", "--find", "zzzzzz").out
    assert "Did you mean scifact" in refused("datasets", "get", "scifct")


def test_costs_are_printed_and_in_the_json(birds: Path) -> None:
    outcome = lsr("eval", "--collection", birds, "--encoder", "bm25", "--cost", "--json")
    assert outcome.json["cost"]["latency_queries"] == 3
    assert json.loads(outcome.out)["cost"]["index_bytes"] > 0


def test_files_of_ones_own_from_the_command_line(tmp_path: Path, birds: Path) -> None:
    own = ("--qrels", birds / "qrels" / "test.tsv", "--queries", birds / "queries.jsonl")
    outcome = lsr("eval", "--encoder", "bm25", "--documents", birds / "corpus.jsonl", *own, "--json")
    assert outcome.json["R@100"] == 1.0
    assert "both given" in refused("eval", "--collection", birds, *own)
    assert "no option 'frobnicate'" in refused(
        "eval", "--encoder", "bm25", "--collection", birds, "--search-option", "frobnicate=1"
    )

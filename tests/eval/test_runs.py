"""TREC run files: what is written measures to the same figures by anybody's program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsr.errors import EvaluationError
from lsr.eval import DEFAULT_MEASURES, Run, measure_run, read_run, write_run


def _command_line(folder: Path, run: Path, qrels: dict[str, dict[str, int]]) -> dict[str, float]:
    """The figures of ir_measures' own command on the file."""
    judgements = folder / "judgements.qrels"
    judgements.write_text("".join(f"{q} 0 {d} {g}\n" for q, row in qrels.items() for d, g in row.items()))
    command = [sys.executable, "-m", "ir_measures", str(judgements), str(run), *DEFAULT_MEASURES, "-o", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = {record["measure"]: record["value"] for record in map(json.loads, done.stdout.splitlines())}
    return {name: found[name.replace("MRR", "RR")] for name in DEFAULT_MEASURES}


def test_the_file_measures_as_we_do_on_the_command_line(tmp_path: Path) -> None:
    """Scores from seven values only: nearly everything ties."""
    generator = np.random.default_rng(7)
    qrels: dict[str, dict[str, int]] = {}
    run: Run = {}
    for query in (f"q{i}" for i in range(60)):
        documents = [f"d{i}" for i in generator.permutation(300)]
        qrels[query] = {document: int(generator.integers(0, 4)) for document in documents[:40:2]}
        served = generator.permutation(documents[:150])
        run[query] = list(zip(map(str, served), -np.sort(-generator.integers(0, 7, 150)) / 7, strict=True))
    run["q3"] = []
    del run["q5"]
    write_run(tmp_path / "run.trec", run)
    ours = measure_run(run, qrels).mean
    assert _command_line(tmp_path, tmp_path / "run.trec", qrels) == pytest.approx(ours, abs=1e-6)
    assert measure_run(read_run(tmp_path / "run.trec"), qrels).mean == ours


_SCORES = st.lists(
    st.floats(-(2.0**100), 2.0**100, width=32) | st.sampled_from([0.0, 1.0, 12.5]), min_size=1, max_size=40
)


@settings(max_examples=100, deadline=None)
@given(_SCORES)
def test_written_scores_fall_strictly_as_float32_and_hardly_move(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float]
) -> None:
    scores = sorted(scores, reverse=True)
    path = tmp_path_factory.mktemp("runs") / "run"
    write_run(path, {"q": [(f"d{i}", score) for i, score in enumerate(scores)]}, tag="t")
    lines = [line.split(" ") for line in path.read_text().splitlines()]
    assert [line[:4] for line in lines] == [["q", "Q0", f"d{i}", str(i + 1)] for i in range(len(scores))]
    written = [np.float32(line[4]) for line in lines]
    assert all(one > other for one, other in pairwise(written))
    assert all(float(one[4]) > float(other[4]) for one, other in pairwise(lines))
    for score, value in zip(scores, written, strict=True):
        assert float(value) == pytest.approx(score, rel=1e-5, abs=1e-40)


def test_scores_that_fall_are_written_as_they_are(tmp_path: Path) -> None:
    write_run(tmp_path / "run", {"q1": [("a", 2.5), ("b", 1.25)], "q2": [], "q3": [("a", 0.1)]}, tag="mine")
    assert (tmp_path / "run").read_text() == "q1 Q0 a 1 2.5 mine\nq1 Q0 b 2 1.25 mine\nq3 Q0 a 1 0.1 mine\n"
    assert read_run(tmp_path / "run") == {"q1": [("a", 2.5), ("b", 1.25)], "q3": [("a", 0.1)]}


@pytest.mark.parametrize(
    ("run", "tag", "message"),
    [
        ({"q": [("a b", 1.0)]}, "lsr", "the document id 'a b' has a blank in it"),
        ({"q": [("a\u2003b", 1.0)]}, "lsr", r"the document id 'a\\u2003b' has a blank in it"),
        ({"q 1": [("a", 1.0)]}, "lsr", "the query id 'q 1' has a blank in it"),
        ({"q": [("", 1.0)]}, "lsr", "the document id '' is empty"),
        ({"q": [("a", 1.0)]}, "my run", "the tag 'my run' has a blank in it"),
        ({"q": [("a", 1.0), ("a", 0.5)]}, "lsr", "'a' is there twice for the query 'q'"),
        ({"q": [("a", float("nan"))]}, "lsr", "the score nan"),
        ({"q": [("a", 1e300)]}, "lsr", r"the score 1e\+300"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_nothing_is_left(
    tmp_path: Path, run: Run, tag: str, message: str
) -> None:
    (tmp_path / "run").write_text("old")
    with pytest.raises(EvaluationError, match=message):
        write_run(tmp_path / "run", {"before": [("x", 1.0)], **run}, tag=tag)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run").read_text() == "old"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"cannot write .*nowhere/run: No such file"):
        write_run(tmp_path / "nowhere" / "run", {"q": [("a", 1.0)]})


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_run(pipe, {"q": [("a", 1.0)]})
    reader.join(timeout=10)
    assert read == ["q Q0 a 1 1.0 lsr\n"]
    assert pipe.is_fifo()


def test_a_foreign_run_is_read_by_score_then_rank(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q 0 low 1 0.5 x\nq Q0 second\t2 7 x\nq Q0 first 1 7 x\n\n")
    assert read_run(tmp_path / "run") == {"q": [("first", 7.0), ("second", 7.0), ("low", 0.5)]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q Q0 a 1 1.0\n", "line 1: 5 columns"),
        ("q Q0 a 1 1.0 x\nq Q0 a 2 0.5 x\n", "line 2: the document 'a' is there twice"),
        ("q Q0 a 1 high x\n", "line 1: the score 'high'"),
        ("q Q0 a 1 nan x\n", "line 1: the score 'nan'"),
        ("q Q0 a first 1.0 x\n", "line 1: the rank 'first'"),
        ("\n", "is empty"),
    ],
)
def test_a_malformed_run_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        read_run(tmp_path / "run")


def test_a_missing_run_and_one_that_is_not_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot read the run"):
        read_run(tmp_path / "absent")
    (tmp_path / "run").write_bytes(b"q Q0 \xff 1 1.0 x\n")
    with pytest.raises(EvaluationError, match="not UTF-8"):
        read_run(tmp_path / "run")

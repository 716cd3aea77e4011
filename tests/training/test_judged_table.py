"""The door `training/judged_table.py`: what it fuses, what it finds again, and runs that it cannot use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lsr.eval.runs import write_run
from lsr.fusion import zscore_fusion

DOOR = Path(__file__).parents[2] / "training" / "judged_table.py"

#: One query, whose relevant document is third in either leg and first in their fusion.
SPARSE = [("a", 9.0), ("b", 8.5), ("c", 8.0), ("d", 1.0), ("e", 0.5)]
COSINES = {"d": 0.9, "e": 0.85, "c": 0.8, "a": 0.1, "b": 0.0}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "beir" / "small"
    (folder / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": name, "title": "", "text": f"text {name}"}) for name in "abcde"]
    (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "a question"}) + "\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\tc\t1\n")
    (tmp_path / "runs" / "small").mkdir(parents=True)
    write_run(tmp_path / "runs" / "small" / "sparse.trec", {"q": SPARSE})
    (tmp_path / "vectors").mkdir()
    cosines = np.array([COSINES[name] for name in "abcde"])
    np.savez(
        tmp_path / "vectors" / "dense-8-small.npz",
        documents=np.stack([cosines, np.sqrt(1 - cosines**2)], 1).astype(np.float16),
        queries=np.array([[1, 0]], np.float16),
        document_ids=np.array(list("abcde")),
        query_ids=np.array(["q"]),
    )
    return tmp_path


def door(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOOR), "--runs", "runs", "--data", ".", "--sets", "small", "--systems", "sparse"]
    command += ["--dense", "dense=nowhere:8", "--measure", "MRR@10", *arguments]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=280)


def test_a_fusion_of_a_run_and_of_kept_vectors(place: Path) -> None:
    assert zscore_fusion([SPARSE, sorted(COSINES.items(), key=lambda hit: -hit[1])])[0][0] == "c"
    done = door(place, "--fuse", "sparse+dense", "0.01*sparse+dense", "--to", "table.md")
    assert done.returncode == 0, done.stderr
    values = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in done.stdout.splitlines()}
    assert values["`sparse`"] == values["`dense`"] == values["`0.01*sparse+dense`"] == ".3333"
    assert values["`sparse+dense`"] == "1.0000"
    assert (place / "table.md").read_text() == done.stdout


def test_without_a_fusion_no_document_is_read(place: Path) -> None:
    (place / "beir" / "small" / "corpus.jsonl").write_text("no document")
    done = door(place)
    assert done.returncode == 0, done.stderr
    assert "`dense`" in done.stdout


def test_a_run_that_was_cut_before_the_depth_is_refused(place: Path) -> None:
    write_run(place / "runs" / "small" / "sparse.trec", {"q": SPARSE[:2]})
    done = door(place, "--fuse", "sparse+dense")
    assert done.returncode == 1
    assert "error: sparse+dense: the run of sparse was cut at 2 hits, the fusion looks at 200" in done.stderr
    assert "R@200, or choose --depth 2" in done.stderr
    assert door(place, "--fuse", "sparse+dense", "--depth", "2").returncode == 0
    assert door(place).returncode == 0


def test_an_unknown_leg_is_named(place: Path) -> None:
    done = door(place, "--fuse", "sparse+other")
    assert done.returncode == 1
    assert "there is no system 'other'" in done.stderr
    assert "sparse, dense" in done.stderr

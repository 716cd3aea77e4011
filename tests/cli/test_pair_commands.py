"""`lsr mine` and `lsr distill-scores` as their users meet them."""

from __future__ import annotations

import json
from pathlib import Path

from cli_help import lsr, process, refused
from training_help import write_cross_encoder, write_pairs


def test_negatives_then_scores(tmp_path: Path) -> None:
    pairs, mined, scored = (tmp_path / name for name in ("pairs.jsonl", "mined.jsonl", "scored.jsonl"))
    write_pairs(pairs, 40)
    outcome = lsr("mine", pairs, "--to", mined, "--negatives", "2", "--json")
    assert outcome.code == 0, outcome
    assert outcome.json["rows"] == 40
    assert outcome.json["negatives"] == 80
    assert outcome.err == ""
    cross = write_cross_encoder(tmp_path / "cross")
    teachers = ("--teacher", "bm25@0.5", "--teacher", f"cross-encoder:{cross}")
    done = process("distill-scores", mined, "--to", scored, *teachers)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().startswith(f"{scored}: 40 rows, 120 scores; the positive is first in ")
    assert done.stderr == b""  # no terminal: no progress
    rows = [json.loads(line) for line in scored.read_text().splitlines()]
    assert all(len(row["scores"]) == 3 and max(row["scores"]) <= 1 for row in rows)
    line = lsr("mine", pairs, "--to", tmp_path / "more.jsonl", "--negatives", "3", "--last", "2").out
    assert "40 rows got fewer than 3" in line


def test_what_is_wrong_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.jsonl", 5)
    with pairs.open("a") as file:
        file.write('{"query": "moon"}\n')
    out = tmp_path / "out.jsonl"
    assert f"{pairs}, line 6: there is no field 'pos'" in refused("mine", pairs, "--to", out)
    assert "'tfidf' names no teacher" in refused("mine", pairs, "--to", out, "--by", "tfidf")
    assert "ceiling is 2.0" in refused("mine", pairs, "--to", out, "--ceiling", "2")
    said = refused("distill-scores", pairs, "--to", out, "--teacher", f"dense:{tmp_path}/none")
    assert f"{pairs}, line 6" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.jsonl"]


def test_help_names_the_kinds_of_teachers() -> None:
    for command in ("mine", "distill-scores"):
        outcome = lsr(command, "--help")
        assert outcome.code == 0
        assert "cross-encoder:FOLDER" in outcome.out

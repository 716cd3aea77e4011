"""`lsr encode` and `lsr encoder`."""

from __future__ import annotations

import json
from pathlib import Path

from encoder_checkpoints import save_checkpoint
from typer.testing import CliRunner

from lsr.cli.__main__ import app

RUNNER = CliRunner()


def test_encode(tmp_path: Path) -> None:
    source = tmp_path / "corpus.jsonl"
    source.write_text('{"_id": "1", "text": "the tide"}\n{"_id": "2", "text": "a whale"}\n')
    command = ["encode", str(source), "--to", str(tmp_path / "out"), "--encoder-setting", "threads=1"]
    done = RUNNER.invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["documents"], report["encoded"], report["parts"]) == (2, 2, 1)
    again = RUNNER.invoke(app, command)
    assert "nothing left to encode" in again.stdout
    assert "2 documents in 1 part" in again.stdout


def test_encoder_info_says_what_a_folder_is(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "model")
    (folder / "idf.json").write_text('{"moon": 2.5}')
    done = RUNNER.invoke(app, ["encoder", "info", str(folder), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["format"] == "OpenSearch (masked language model with idf.json)"
    assert facts["model"] == "BertForMaskedLM"
    assert facts["queries"] == "by look-up, no network: unique tokens, weights of idf.json"
    assert facts["query_idf"] == "min"
    neural = RUNNER.invoke(app, ["encoder", "info", str(folder), "--encoder-setting", "queries=neural"])
    assert "as documents" in neural.stdout
    passages = RUNNER.invoke(app, ["encoder", "info", "splade-tiny", "--encoder-setting", "passage_tokens=100"])
    assert "by passages of 100 tokens that share 25" in " ".join(passages.stdout.split())


def test_encoder_info_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = RUNNER.invoke(app, ["encoder", "info", str(tmp_path / "empty")])
    assert done.exit_code == 1
    assert "is not a model checkpoint" in " ".join(done.stderr.split())


def test_encoder_export(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "model")
    done = RUNNER.invoke(app, ["encoder", "export", str(folder), "--to", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "modules.json").is_file()
    named = RUNNER.invoke(app, ["encoder", "export", "splade-tiny", "--to", str(tmp_path / "other")])
    assert named.exit_code == 1
    assert "no checkpoint at splade-tiny" in named.stderr


def test_export_of_a_checkpoint_for_onnxruntime(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path / "model")
    out = str(tmp_path / "out")
    command = ["export", str(folder), "--format", "onnx", "--to"]
    done = RUNNER.invoke(app, [*command, out, "--precision", "float16", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["source"] == str(folder)
    assert report["bytes"] == sum(file.stat().st_size for file in Path(out).iterdir())
    assert (tmp_path / "out" / "model.fp16.onnx").is_file()
    again = RUNNER.invoke(app, [*command, out])
    assert again.exit_code == 1
    assert "is not empty" in again.stderr

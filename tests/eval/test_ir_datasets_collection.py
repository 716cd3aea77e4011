"""Collections by id: the real ir_datasets, reading a made-up archive where it looks for its downloads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tiny_collection import write_collection

from lsr.errors import EvaluationError
from lsr.eval.collections import load_collection
from lsr.eval.collections.irds import _PREFERRED, _judged, known_ids

SHOW = """
import json, sys
from lsr.eval import load_collection
collection = load_collection(sys.argv[1], split=sys.argv[2] or None)
before = collection.digest()
documents = [[d.id, d.title, d.text] for d in collection.documents()]
print(json.dumps({
    "name": collection.name, "split": collection.split, "documents": documents, "queries": collection.queries,
    "qrels": collection.qrels, "drop": collection.drop_self_matches, "warnings": collection.warnings,
    "count": collection.document_count, "before": before, "after": collection.digest(),
}))
"""


def _show(home: Path, identifier: str, split: str = "") -> subprocess.CompletedProcess[str]:
    """A fresh process, because ir_datasets reads its home folder once, when it is imported."""
    environment = {**os.environ, "IR_DATASETS_HOME": str(home), "http_proxy": "http://127.0.0.1:9"}
    environment |= {"https_proxy": "http://127.0.0.1:9", "IR_DATASETS_DL_TRIES": "1"}
    return subprocess.run(
        [sys.executable, "-c", SHOW, identifier, split], capture_output=True, text=True, env=environment, check=False
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of ir_datasets that holds an archive of the name scifact, with our own few lines in it."""
    folder = write_collection(tmp_path / "scifact")
    write_collection(folder, qrels={"q-unjudged": {"d3": 1}}, split="train")
    place = tmp_path / "home" / "beir" / "scifact"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "source.zip", "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"scifact/{file.relative_to(folder)}")
    return tmp_path / "home"


def test_an_id_is_a_collection(home: Path) -> None:
    done = _show(home, "beir/scifact/test")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["name"] == "beir/scifact/test"
    assert shown["documents"][0] == ["d1", "", "penguins swim in cold antarctic water"]
    assert list(shown["queries"]) == ["q1", "q2", "q3"]
    assert shown["qrels"]["q2"] == {"d3": 1, "d4": 3}
    assert shown["drop"] is True
    assert shown["count"] == 5183  # the catalogue's figure, not read from the archive
    assert set(shown["before"]) == {"qrels", "queries"}
    assert set(shown["after"]) == {"qrels", "queries", "documents"}


@pytest.mark.parametrize(("split", "queries"), [("", ["q1", "q2", "q3"]), ("train", ["q-unjudged"])])
def test_a_split_is_appended_to_an_id_without_judgements(home: Path, split: str, queries: list[str]) -> None:
    done = _show(home, "beir/scifact", split)
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["queries"]) == queries


def test_data_that_cannot_be_had_is_an_evaluation_error(tmp_path: Path) -> None:
    done = _show(tmp_path, "beir/nfcorpus/test")
    assert done.returncode == 1
    assert "EvaluationError: the collection beir/nfcorpus/test cannot be read" in done.stderr
    assert "IR_DATASETS_HOME" in done.stderr


@pytest.mark.parametrize(
    ("identifier", "split", "found"),
    [
        ("beir/scifact", None, ("beir/scifact/test", "test")),
        ("beir/scifact/train", None, ("beir/scifact/train", "")),
        ("beir/scifact/train", "train", ("beir/scifact/train", "")),
        ("beir/arguana", None, ("beir/arguana", "")),
        ("beir/arguana", "test", ("beir/arguana", "test")),
        ("beir/cqadupstack/android", None, ("beir/cqadupstack/android", "")),
    ],
)
def test_the_id_that_has_judgements_is_found(identifier: str, split: str | None, found: tuple[str, str]) -> None:
    assert _judged(identifier, split) == found


def test_an_id_without_judgements_names_those_below_it() -> None:
    with pytest.raises(EvaluationError, match=r"split 'dev'\. Name one of .*beir/scifact/test"):
        load_collection("beir/scifact", split="dev")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("beir/scifcat", "beir/scifact"), ("SciFcat", "beir/scifact"), ("fiqa", "beir/fiqa")],
)
def test_an_unknown_name_suggests_the_nearest(wrong: str, right: str) -> None:
    with pytest.raises(EvaluationError, match=rf"no folder and no ir_datasets id '{wrong}'\. Did you mean .*{right}"):
        load_collection(wrong)
    with pytest.raises(EvaluationError, match="knows no collection"):
        load_collection(f"ir_datasets:{wrong}")


def test_the_second_version_of_touche_is_preferred() -> None:
    assert _PREFERRED == {"beir/webis-touche2020": "beir/webis-touche2020/v2"}
    assert set(_PREFERRED) | set(_PREFERRED.values()) <= set(known_ids())

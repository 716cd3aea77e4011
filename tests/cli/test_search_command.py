"""`lsr search`: for a person, for a program, explained, without hits."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from cli_help import lsr, pets_index, write_jsonl
from rich.console import Console

from lsr import Index
from lsr.cli.search import marked, print_hits
from lsr.engine.results import Snippet


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return pets_index(tmp_path)


def test_hits_for_a_person(path: Path) -> None:
    outcome = lsr("search", path, "dog barks")
    assert (outcome.code, outcome.err) == (0, "")
    with Index.open(path) as index:
        hits = index.search("dog barks").hits
    heads = re.findall(r"^ *(\d+)\. (.*)$", outcome.out, re.MULTILINE)
    assert heads == [(str(hit.rank), f"{hit.id.title()}  {hit.id}  {hit.score:.4f}") for hit in hits]
    assert "    A dog barks at the postman; the cat does not care.\n" in outcome.out
    assert re.fullmatch(r"3 hits in \d+\.\d ms, generation \d+", outcome.out.splitlines()[-1])


def test_the_words_of_a_query_need_no_quotes(path: Path) -> None:
    assert lsr("search", path, "dog", "barks", "--json").json["query"] == "dog barks"
    assert (
        lsr("search", path, "dog", "barks", "--json").json["hits"]
        == lsr("search", path, "dog barks", "--json").json["hits"]
    )
    assert lsr("search", path, "--", "-dog").out.startswith(" 1. Dog")


def test_a_terminal_sees_the_matched_terms_marked(path: Path) -> None:
    with Index.open(path) as index:
        response = index.search("dog barks", explain=True)
    screen = io.StringIO()
    print_hits(Console(file=screen, force_terminal=True, color_system="standard", width=100), response)
    assert "A \x1b[1;33mdog\x1b[0m \x1b[1;33mbarks\x1b[0m at the postman" in screen.getvalue()


def test_explanations_add_up(path: Path) -> None:
    for hit in lsr("search", path, "dog barks in the morning", "--explain", "--json").json["hits"]:
        assert sum(term["integer"] for term in hit["explanation"]) == hit["integer_score"]
        assert sum(term["contribution"] for term in hit["explanation"]) == pytest.approx(hit["score"], rel=1e-12)
    shown = lsr("search", path, "dog barks", "-k", "1", "--explain").out
    rows = re.findall(r"^ +(\w+) +([\d.]+) +([\d.]+) +([\d.]+) +▇+ *$", shown, re.MULTILINE)
    (total,) = re.findall(r"^ +sum +([\d.]+) *$", shown, re.MULTILINE)
    assert [row[0] for row in rows] == ["dog", "bark"]
    assert sum(float(row[3]) for row in rows) == pytest.approx(float(total), abs=2e-4)
    assert "explanation" not in lsr("search", path, "dog", "--json").json["hits"][0]


def test_json_is_what_python_gives(path: Path) -> None:
    found = lsr("search", path, "dog barks", "-k", "2", "--explain", "--json").json
    with Index.open(path) as index:
        expected = index.search("dog barks", k=2, explain=True).to_dict()
    assert found.pop("took_ms") > 0
    del expected["took_ms"]
    assert found == json.loads(json.dumps(expected))


def test_one_hit_is_one_hit(path: Path) -> None:
    assert lsr("search", path, "windowsill").out.splitlines()[-1].startswith("1 hit in ")


def test_a_document_without_title_or_text(tmp_path: Path) -> None:
    rows = [{"_id": "a", "text": "only text"}, {"_id": "b", "title": "Only title", "text": ""}]
    lsr("index", write_jsonl(tmp_path / "rows.jsonl", rows), "--to", tmp_path / "index", "--encoder", "bm25")
    shown = lsr("search", tmp_path / "index", "only text").out
    assert re.search(r"^ 1\. a  \d+\.\d{4}\n    only text\n$", shown, re.MULTILINE)
    assert re.search(r"^ 1\. Only title  b  \d+\.\d{4}$", lsr("search", tmp_path / "index", "title").out, re.MULTILINE)


def test_what_a_document_says_moves_no_terminal_and_is_no_markup(tmp_path: Path) -> None:
    row = {
        "_id": "a\x1b[2Jb",
        "title": "[red]not[/] red\\ :dog:\n",
        "text": "\x1b]0;owned\x07 a dog\u0085\t[/]\n \x9b31m",
    }
    lsr("index", write_jsonl(tmp_path / "rows.jsonl", [row]), "--to", tmp_path / "index", "--encoder", "bm25")
    outcome = lsr("search", tmp_path / "index", "dog", "--explain")
    assert outcome.code == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", outcome.out)
    assert " 1. [red]not[/] red\\ :dog:" in outcome.out
    assert "a\ufffd[2Jb" in outcome.out
    assert lsr("search", tmp_path / "index", "dog", "--json").json["hits"][0]["text"] == row["text"]


def test_marks_stay_where_they_belong() -> None:
    """What replaces a control character is as long as it was."""
    text = marked(Snippet("\x1b\r\n\tdog \x07bark", ((4, 7), (9, 13))))
    assert text.plain == "\ufffd   dog \ufffdbark"
    assert [text.plain[span.start : span.end] for span in text.spans] == ["dog", "bark"]


@pytest.mark.parametrize("encoder", ["bm25", "splade-tiny-doc", "splade-tiny"])
def test_every_encoder_answers(tmp_path: Path, encoder: str) -> None:
    path = pets_index(tmp_path, encoder)
    outcome = lsr("search", path, "a dog that barks", "-k", "1", "--explain")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(" 1. Dog")

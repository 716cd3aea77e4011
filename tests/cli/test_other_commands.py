"""`lsr info`, `lsr check`, `lsr eval`, `lsr demo`, `lsr serve`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
from cli_help import PATIENCE_SECONDS, PLAIN, lsr, pets_index, refused, write_jsonl

from lsr import Document, Index
from lsr.cli.demo import QUESTIONS, demonstrate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return pets_index(tmp_path)


def test_info(path: Path) -> None:
    with Index.open(path) as index:
        expected = index.info().to_dict()
    report = lsr("info", path, "--json").json
    assert report == {**expected, "segments": list(expected["segments"])}
    shown = lsr("info", path)
    assert (shown.code, shown.err) == (0, "")
    for fact in (str(path), "bm25 (k1=0.9, b=0.4, analyzer=english)", "collection", report["fingerprint"][:16]):
        assert fact in shown.out
    assert report["segments"][0]["name"] in shown.out


def test_info_of_an_empty_index(tmp_path: Path) -> None:
    Index.create(tmp_path / "index", encoder="bm25").close()
    shown = lsr("info", tmp_path / "index")
    assert shown.code == 0
    assert "segment " not in shown.out


def test_check_and_repair(path: Path) -> None:
    sound = {"documents": 4, "segments": 1, "problems": [], "repaired": [], "generation": 1, "sound": True}
    assert lsr("check", path).out == f"{path}: sound, 4 documents in 1 segment\n"
    assert lsr("check", path, "--json").json == sound
    expected = lsr("search", path, "dog", "--json").json["hits"]
    (segment,) = (path / "segments").iterdir()
    segment.write_bytes(segment.read_bytes()[:-8])
    damaged = lsr("check", path)
    assert damaged.code == 1
    assert damaged.out.startswith(f"damaged: {segment} is damaged: ")
    assert damaged.out.endswith(f"{path}: NOT sound, 4 documents in 1 segment\n")
    report = lsr("check", path, "--json")
    assert (report.code, report.json["sound"]) == (1, False)
    repaired = lsr("check", path, "--repair")
    assert repaired.code == 0
    assert repaired.out.startswith(f"repaired: {segment} is damaged: ")
    assert lsr("check", path, "--json").json == {**sound, "generation": 2}
    assert lsr("search", path, "dog", "--json").json["hits"] == expected


def collection(folder: Path) -> Path:
    """A judged collection of five documents in BEIR's layout."""
    texts = ("penguins swim in cold water", "a penguin is a bird", "bread of flour", "sourdough bread", "the moon")
    write_jsonl(
        folder / "corpus.jsonl", [{"_id": f"d{n}", "title": "", "text": text} for n, text in enumerate(texts, 1)]
    )
    write_jsonl(
        folder / "queries.jsonl", [{"_id": "q1", "text": "penguins that swim"}, {"_id": "q2", "text": "the moon"}]
    )
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t1\nq2\td5\t1\n")
    return folder


def test_eval_of_an_encoder_and_of_an_index(tmp_path: Path) -> None:
    folder = collection(tmp_path)
    run = tmp_path / "run.trec"
    outcome = lsr("eval", "--collection", folder, "--encoder", "bm25", "--run", run, "--json")
    assert outcome.code == 0
    figures = outcome.json
    assert {"nDCG@10": 1.0, "R@100": 1.0, "MRR@10": 1.0}.items() <= figures.items()
    assert figures["provenance"]["command"] == f"lsr eval --collection {folder} --encoder bm25 --run {run} --json"
    assert [line.split()[2] for line in run.read_text().splitlines() if line.startswith("q1 ")] == ["d1", "d2"]
    index = tmp_path / "index"
    lsr("index", folder / "corpus.jsonl", "--to", index, "--encoder", "bm25")
    shown = lsr("eval", index, "--collection", folder, "--measure", "P@1")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[0].split() == ["P@1", "1.0000"]
    assert f"2 of {folder.name}, 5 documents" in shown.out


def test_eval_judges_regressions(tmp_path: Path) -> None:
    collection(tmp_path)
    command = "lsr eval --collection {data} --encoder bm25"
    good = f"- {{name: good, command: '{command}', measure: R@100, expected: 1.0, tolerance: 0.01}}\n"
    bad = good.replace("good", "bad").replace("1.0", "0.5")
    (tmp_path / "good.yaml").write_text(good)
    (tmp_path / "both.yaml").write_text(good + bad)
    passed = lsr("eval", "--regressions", tmp_path / "good.yaml", "--data", tmp_path)
    assert passed.code == 0
    assert "OK" in passed.out
    failed = lsr("eval", "--regressions", tmp_path / "both.yaml", "--data", tmp_path)
    assert failed.code == 1
    assert "FAIL" in failed.out
    assert lsr("eval", "--regressions", tmp_path / "both.yaml", "--data", tmp_path, "--json").json["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no collection is named. Add --collection"),
        (("--collection", "nowhere/at-all"), "nowhere/at-all"),
        (("--data", "x", "--collection", "y"), "--data is for --regressions only"),
        (("--regressions", "x", "--k", "3"), "--regressions says itself what to evaluate. Leave the other options out"),
        (("--regressions", "x.yaml"), "x.yaml"),
        (("index", "--collection", "x", "--encoder", "bm25"), "an index and encoder 'bm25' are both given"),
        (("--collection", "x", "--encoder-setting", "k1"), "the setting 'k1' is not NAME=VALUE"),
    ],
)
def test_eval_names_what_it_cannot_do(arguments: tuple[str, ...], message: str) -> None:
    assert message in refused("eval", *arguments).replace("\n", ". ")


def test_what_the_demo_does_with_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents = [
        Document("heapq.heappop", "Pop the smallest item off the heap.", "heapq.heappop(heap)"),
        Document("atexit.register", "Register a function to be executed upon normal termination.", "atexit.register"),
        Document("filecmp.cmp", "Compare two files.", "filecmp.cmp(f1, f2)"),
    ]
    to = tmp_path / "some where"
    demonstrate(to, documents)
    shown = capsys.readouterr().out
    assert "3 written, 0 there already" in shown
    for question in QUESTIONS:
        assert question in shown
    assert "1. filecmp.cmp: Compare two files." in shown
    assert f"search '{to}' \"…\" --explain" in shown
    demonstrate(to, documents)
    assert "0 written, 3 there already" in capsys.readouterr().out


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    """The real one: this Python's documentation, a minute or two."""
    outcome = lsr("demo", "--to", tmp_path / "docs", "--no-serve")
    assert outcome.code == 0
    for step in ("1. The documentation of Python", "2. Indexing with lsr-mini-en", "3. Asking", "4. Look further"):
        assert step in outcome.out
    with Index.open(tmp_path / "docs") as index:
        assert len(index) > 3000
        assert "heapq.heappop" in index


def test_serve_until_interrupted(path: Path) -> None:
    arguments = ["serve", str(path), f"other={path}", "--port", "0"]
    starter = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from lsr.cli.__main__ import main\n"
        "main()"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", starter, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=PLAIN,
    )
    watchdog = threading.Timer(PATIENCE_SECONDS, running.kill)
    watchdog.start()
    try:
        assert running.stderr is not None
        line = running.stderr.readline()
        assert line.startswith("Serving at http://127.0.0.1:"), line
        url = line.split()[2]
        for name in ("pets", "other"):
            with urllib.request.urlopen(f"{url}v1/indexes/{name}/search?query=dog", timeout=60) as answer:
                assert b'"id":"dog"' in answer.read()
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
        assert (running.returncode, out, err) == (0, "", "")
    finally:
        watchdog.cancel()
        running.kill()
        running.communicate()


def test_serve_names_what_it_cannot_do(path: Path, tmp_path: Path) -> None:
    assert "nowhere is not an index" in refused("serve", tmp_path / "nowhere", "--port", "0")
    assert "two indexes would be called 'pets'" in refused("serve", path, path, "--port", "0")
    assert "cannot listen on 192.0.2.1" in refused("serve", path, "--host", "192.0.2.1", "--port", "0")

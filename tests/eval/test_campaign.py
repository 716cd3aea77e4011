"""Campaigns: names to sets, what is kept, what is done again, and going on after a process was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_collection import CORPUS, QRELS, write_collection

from lsr.errors import EvaluationError
from lsr.eval import load_collection
from lsr.eval.campaign import Campaign, Step, expand_sets, run_campaign
from lsr.eval.collections.known import BEIR, short_name
from lsr.eval.records import read_record
from lsr.eval.runs import write_run
from lsr.eval.systems import parse_system

ROOT = Path(__file__).parents[2]


def _data(folder: Path, names: tuple[str, ...] = ("birds", "bread")) -> Path:
    for name in names:
        write_collection(folder / "beir" / name)
    return folder


def _campaign(folder: Path, *systems: str, **others: object) -> Campaign:
    return Campaign(
        sets=("all",),
        systems=tuple(map(parse_system, systems)),
        out=folder / "out",
        data=folder / "data",
        cost=False,
        **others,  # type: ignore[arg-type]
    )


def _told(steps: list[Step]) -> list[tuple[str, str, bool, bool]]:
    return [(step.set, step.system, step.record is not None, step.kept) for step in steps]


def test_what_is_done_is_kept_and_the_rest_is_done(tmp_path: Path) -> None:
    _data(tmp_path / "data")
    first = run_campaign(_campaign(tmp_path, "bm25"))
    assert _told(first) == [("birds", "bm25", True, False), ("bread", "bm25", True, False)]
    second = run_campaign(_campaign(tmp_path, "bm25", "bm25s"))
    assert _told(second) == [
        ("birds", "bm25", True, True),
        ("birds", "bm25s", True, False),
        ("bread", "bm25", True, True),
        ("bread", "bm25s", True, False),
    ]
    assert second[0].record == first[0].record
    record = read_record(tmp_path / "out" / "birds" / "bm25.json")
    assert record.run() == first[0].record.run() if first[0].record else None
    assert record.texts["q1"] == "penguins that swim"


def test_another_request_is_done_again(tmp_path: Path) -> None:
    data = _data(tmp_path / "data", ("birds",))
    run_campaign(_campaign(tmp_path, "bm25"))
    assert not run_campaign(_campaign(tmp_path, "bm25", measures=("AP",)))[0].kept
    assert not run_campaign(_campaign(tmp_path, "bm25,k1=2,label=bm25"))[0].kept
    run_campaign(_campaign(tmp_path, "bm25"))
    write_collection(data / "beir" / "birds", qrels={"q1": {"d1": 1}})  # other judgements
    (step,) = run_campaign(_campaign(tmp_path, "bm25"))
    assert not step.kept
    assert step.record is not None
    assert step.record.queries == 1


def test_a_run_that_was_written_again_is_measured_again(tmp_path: Path) -> None:
    _data(tmp_path / "data", ("birds",))
    campaign = _campaign(tmp_path, f"run:{tmp_path}/{{set}}.trec,label=theirs")
    write_run(tmp_path / "birds.trec", {"q3": [("d1", 1.0)]})
    (before,) = run_campaign(campaign)
    assert run_campaign(campaign)[0].kept
    write_run(tmp_path / "birds.trec", {"q3": [("d5", 1.0)]})
    (after,) = run_campaign(campaign)
    assert not after.kept
    assert before.record is not None
    assert after.record is not None
    assert after.record.measures["R@100"] > before.record.measures["R@100"]


def test_a_damaged_record_is_made_again(tmp_path: Path) -> None:
    _data(tmp_path / "data", ("birds",))
    run_campaign(_campaign(tmp_path, "bm25"))
    place = tmp_path / "out" / "birds" / "bm25.json"
    place.write_text(place.read_text()[:100])
    (step,) = run_campaign(_campaign(tmp_path, "bm25"))
    assert (step.kept, step.record is not None) == (False, True)
    read_record(place)


def test_a_system_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    _data(tmp_path / "data", ("birds",))
    steps = run_campaign(_campaign(tmp_path, "run:nothing.trec", "no-such-encoder", "bm25"))
    assert [step.record is not None for step in steps] == [False, False, True]
    assert "nothing.trec" in steps[0].failure
    assert "no-such-encoder" in steps[1].failure


def test_two_systems_of_one_file_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="two systems would be kept as 'a_b'"):
        _campaign(tmp_path, "bm25,label=a b", "bm25s,label=a/b")


def test_names_become_sets(tmp_path: Path) -> None:
    data = _data(tmp_path)
    assert expand_sets(["all"], data) == [
        ("birds", str(data / "beir" / "birds")),
        ("bread", str(data / "beir" / "bread")),
    ]
    assert expand_sets(["scifact", "webis-touche2020"]) == [
        ("scifact", "beir/scifact/test"),
        ("webis-touche2020", "beir/webis-touche2020/v2"),
    ]
    everything = dict(expand_sets(["all"]))
    assert len(everything) == 14 + 12  # the open sets, CQADupStack as its twelve forums
    assert everything["cqadupstack/tex"] == "beir/cqadupstack/tex"
    assert everything["msmarco"] == "beir/msmarco/dev"
    known = set(__import__("ir_datasets").registry)
    assert set(everything.values()) <= known


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scifcat", "Did you mean scifact"),
        ("brids", "Did you mean birds"),
        ("zzz", "See what is known"),
        ("bioasq", "may not be distributed"),
    ],
)
def test_an_unknown_set_suggests_the_nearest(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        expand_sets([name], _data(tmp_path))


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("beir/scifact/test", "scifact"),
        ("beir/scifact/train", "scifact/train"),
        ("beir/arguana", "arguana"),
        ("beir/msmarco/dev", "msmarco"),
        ("beir/msmarco/trec-dl-2019", "msmarco/trec-dl-2019"),
        ("beir/webis-touche2020/v2", "webis-touche2020"),
        ("beir/webis-touche2020", "webis-touche2020/v1"),
        ("beir/cqadupstack/tex", "cqadupstack/tex"),
        ("msmarco-passage/trec-dl-2019/judged", "msmarco-passage/trec-dl-2019/judged"),
        ("birds", "birds"),
    ],
)
def test_short_names(name: str, short: str) -> None:
    assert short_name(name) == short


def test_sizes_of_sets_that_ir_datasets_knows() -> None:
    registry = __import__("ir_datasets").registry
    for known in BEIR.values():
        if not known.identifier or known.parts:
            continue
        found = registry[known.identifier].metadata()
        assert known.documents == found["docs"]["count"], known.name


def test_all_forums_of_cqadupstack_are_one_evaluation(tmp_path: Path) -> None:
    from lsr.eval import parse_command

    folder = tmp_path / "cqadupstack"
    for part in BEIR["cqadupstack"].parts:
        write_collection(folder / part, qrels=QRELS if part == "tex" else {"q3": {"d5": 1}})
    result = parse_command(f"lsr eval --collection {folder} --encoder bm25 --run {tmp_path}/r.trec").execute()
    one = parse_command(f"lsr eval --collection {folder}/tex --encoder bm25").execute()
    assert result.measures["nDCG@10"] == pytest.approx((11 + one.measures["nDCG@10"]) / 12)
    assert result.queries == 11 + len(QRELS)
    assert (tmp_path / "r.trec").read_text().startswith("cqadupstack/android/q3 Q0 d5 1 ")
    record = read_record(tmp_path / "r.json")
    assert (record.set, record.measures, record.queries) == ("cqadupstack", result.measures, result.queries)
    (folder / "tex" / "qrels" / "test.tsv").unlink()
    (folder / "tex" / "qrels").rmdir()
    with pytest.raises(EvaluationError, match="lacks 1 of the 12 parts of cqadupstack: tex"):
        parse_command(f"lsr eval --collection {folder} --encoder bm25").execute()


def test_a_killed_campaign_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """The door itself, killed while it encodes the second set; what it makes then is what a run in one go makes."""
    data = tmp_path / "data"
    write_collection(data / "a-small")
    corpus = {f"{id}-{n}": f"{text} number {n}" for n in range(400) for id, text in CORPUS.items()}
    write_collection(data / "b-large", corpus, qrels={"q1": {"d1-7": 1}, "q3": {"d5-9": 2}})
    command = [sys.executable, str(ROOT / "eval" / "beir.py"), "--data", str(data), "--no-cost"]
    command += ["--measures", "nDCG@10", "--systems", "bm25", "splade-tiny-doc"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([*command, "--out", str(tmp_path / "out")], env=environment, stdout=subprocess.PIPE)
    try:
        for _ in range(1200):
            if _encoded(tmp_path / "out" / "indexes"):
                break
            assert first.poll() is None
            time.sleep(0.1)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    begun = _encoded(tmp_path / "out" / "indexes")
    assert 0 < begun < len(corpus)
    again = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], env=environment, capture_output=True, text=True, check=True
    )
    lines = again.stdout.splitlines()
    assert [line.split()[:3] for line in lines[:4]] == [
        ["kept", "a-small", "bm25"],
        ["kept", "a-small", "splade-tiny-doc"],
        ["kept", "b-large", "bm25"],
        ["done", "b-large", "splade-tiny-doc"],
    ]
    record = read_record(tmp_path / "out" / "b-large" / "splade-tiny-doc.json")
    whole = load_collection(data / "b-large")
    assert record.queries == len(whole.qrels)
    assert record.provenance["system"]["documents"] == len(corpus)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["sets"] == ["a-small", "b-large"]
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def _encoded(indexes: Path) -> int:
    """Documents that are committed in an index of splade-tiny-doc over the large set, while another process writes."""
    from lsr.engine.index import Index
    from lsr.errors import LsrError

    for place in indexes.glob("*/index"):
        try:
            with Index.open(place) as index:
                if index.info().encoder == "splade-tiny-doc" and len(index) > 5:
                    return len(index)
        except LsrError:
            continue
    return 0

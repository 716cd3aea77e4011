"""Regressions: what a file may say, the verdicts, and that a failed evaluation is never a figure."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tiny_collection import write_collection

from lsr.errors import EvaluationError
from lsr.eval import Regression, Verdict, run_regressions
from lsr.eval.regressions import parse

DOOR = Path(__file__).parents[2] / "eval" / "regressions"
COMMAND = "lsr eval --collection {data}/birds --encoder bm25"


def _file(folder: Path, *entries: dict[str, object]) -> Path:
    path = folder / "some.yaml"
    path.write_text(yaml.safe_dump(list(entries)))
    return path


def _entry(**changed: object) -> dict[str, object]:
    return {"name": "a", "command": COMMAND, "measure": "R@100", "expected": 1.0, "tolerance": 0.01, **changed}


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (0.676, Verdict.OK),
        (0.681, Verdict.OK),
        (0.671, Verdict.OK),
        (0.6811, Verdict.OKISH),
        (0.666, Verdict.OKISH),
        (0.686, Verdict.OKISH),
        (0.6861, Verdict.FAIL),
        (0.0, Verdict.FAIL),
        (float("nan"), Verdict.FAIL),
    ],
)
def test_verdicts(figure: float, verdict: Verdict) -> None:
    regression = Regression("a", COMMAND, "nDCG@10", expected=0.676, tolerance=0.005)
    assert regression.verdict(figure) is verdict


def test_a_file_is_run_and_judged(tmp_path: Path) -> None:
    write_collection(tmp_path / "birds")
    path = _file(
        tmp_path,
        _entry(),
        _entry(name="b", expected=0.985),
        _entry(name="c", expected=0.9, about="beyond"),
        _entry(name="d", minus=f"{COMMAND} --scoring float", expected=0),
    )
    report = run_regressions([path], tmp_path)
    assert [str(outcome.verdict) for outcome in report.outcomes] == ["OK", "OKish", "FAIL", "OK"]
    assert [outcome.figure for outcome in report.outcomes] == [1.0, 1.0, 1.0, 0.0]
    assert not report.passed
    assert str(report.outcomes[2]) == "FAIL    c: R@100 0.9000 ± 0.0100, found 1.0000"
    record = report.to_dict()
    assert record["passed"] is False
    assert record["regressions"][0]["verdict"] == "OK"


def test_an_evaluation_that_fails_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    (write_collection(tmp_path / "birds") / "corpus.jsonl").write_text("{")
    path = _file(tmp_path, _entry(), _entry(name="b", command="lsr eval --collection {data}/birds --encoder no-such"))
    seen: list[str] = []
    report = run_regressions([path], tmp_path, finished=lambda outcome: seen.append(outcome.regression.name))
    assert seen == ["a", "b"]
    assert not report.passed
    assert [outcome.figure for outcome in report.outcomes] == [None, None]
    assert {outcome.verdict for outcome in report.outcomes} == {Verdict.FAIL}
    assert "the evaluation failed: " in report.outcomes[0].reason
    assert "corpus.jsonl, line 1: not JSON" in report.outcomes[0].reason
    assert "no-such" in report.outcomes[1].reason


def test_what_is_not_here_is_skipped_and_nothing_but_skips_is_no_pass(tmp_path: Path) -> None:
    path = _file(tmp_path, _entry(), _entry(name="b", minus="lsr eval --collection {data}/moon --encoder bm25"))
    report = run_regressions([path], tmp_path)
    assert [outcome.verdict for outcome in report.outcomes] == [Verdict.SKIPPED] * 2
    assert f"{tmp_path}/birds is not there" in report.outcomes[0].reason
    assert not report.passed
    write_collection(tmp_path / "birds")
    report = run_regressions([path], tmp_path)
    assert [str(outcome.verdict) for outcome in report.outcomes] == ["OK", "SKIPPED"]
    assert "moon is not there" in report.outcomes[1].reason
    assert report.passed
    assert "--data" in run_regressions([path]).outcomes[0].reason


def test_a_folder_of_data_with_blanks_in_its_name_works(tmp_path: Path) -> None:
    write_collection(tmp_path / "my data" / "birds")
    assert run_regressions([_file(tmp_path, _entry())], tmp_path / "my data").passed


def test_a_collection_is_encoded_once_for_all_commands(tmp_path: Path) -> None:
    write_collection(tmp_path / "birds")
    steps: list[str] = []
    path = _file(tmp_path, _entry(minus=f"{COMMAND} --scoring float", expected=0), _entry(name="b"))
    run_regressions([path], tmp_path, progress=lambda step, *_: steps.append(step))
    assert steps == ["index", "search", "search"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tolerence": 1}, "entry 1: unknown field 'tolerence'"),
        ({"expected": "high"}, "entry 1: expected is 'high'"),
        ({"expected": True}, "entry 1: expected is True"),
        ({"tolerance": -0.1}, "entry 1: the tolerance is negative"),
        ({"measure": "MAP"}, "entry 1: the command does not measure MAP. Add --measure MAP"),
        ({"measure": "nDGC@10", "command": f"{COMMAND} --measure nDGC@10"}, "entry 1: there is no measure 'nDGC@10'"),
        ({"command": "rm -r x"}, "entry 1: 'rm -r' is not an evaluation"),
        ({"minus": "lsr eval"}, "entry 1: the command cannot be read"),
        ({"command": f"{COMMAND} --threads 0"}, "entry 1: threads is 0"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        parse(_file(tmp_path, _entry(**changed)))


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    entry = _entry()
    del entry["tolerance"]
    with pytest.raises(EvaluationError, match="entry 1: the field 'tolerance' is missing"):
        parse(_file(tmp_path, entry))


@pytest.mark.parametrize("text", ["name: a", "", "- 5", "{", "- [a"])
def test_what_is_not_a_list_of_regressions_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(EvaluationError, match=r"x\.yaml"):
        parse(tmp_path / "x.yaml")


def test_missing_files_empty_folders_and_names_used_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot read"):
        parse(tmp_path / "x.yaml")
    with pytest.raises(EvaluationError, match=r"no \*\.yaml in"):
        parse(tmp_path)
    with pytest.raises(EvaluationError, match="two regressions have the name 'a'"):
        parse(_file(tmp_path, _entry(), _entry()))


def test_the_files_of_the_door_can_be_read() -> None:
    names = [regression.name for regression in parse(DOOR)]
    assert {"adi-bm25", "scifact-bm25", "scifact-splade-tiny", "scifact-splade-tiny-doc"} <= set(names)
    assert [name for name in names if name.endswith("-8-bit")]

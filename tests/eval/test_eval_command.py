"""`lsr eval` as data: options, contradictions, and the whole way from a command line to figures and a run file."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from tiny_collection import QRELS, write_collection

from lsr.cli.eval import run
from lsr.encoders.settings import parse_setting
from lsr.engine.index import Index
from lsr.errors import EvaluationError, InvalidSettingError, NotAnIndexError
from lsr.eval import DEFAULT_MEASURES, EvalRequest, load_collection, measure_run, parse_command, read_run
from lsr.eval.command import _parser


def test_a_command_line_is_a_request() -> None:
    line = (
        "lsr eval --collection beir/scifact --split train --encoder bm25 --encoder-setting k1=0.9 "
        "--encoder-setting analyzer=plain --query-idf collection --measure nDCG@10 --measure R@1000 --k 1000 "
        "--threads 2 --scoring float --no-drop-self-matches --run 'my run.trec' --directory kept --json"
    )
    assert parse_command(line) == EvalRequest(
        collection="beir/scifact",
        split="train",
        encoder="bm25",
        settings={"k1": 0.9, "analyzer": "plain"},
        query_idf="collection",
        measures=("nDCG@10", "R@1000"),
        k=1000,
        threads=2,
        scoring="float",
        drop_self_matches=False,
        run="my run.trec",
        directory="kept",
    )
    assert parse_command("lsr eval my.index --collection x") == EvalRequest(collection="x", index="my.index")
    assert EvalRequest(collection="x").measures == DEFAULT_MEASURES


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lsr search x", "'lsr search' is not an evaluation"),
        ("lsr eval", "--collection"),
        ("lsr eval --collection x --frobnicate", "--frobnicate"),
        ("lsr eval --collection x --k many", "invalid int value: 'many'"),
        ("lsr eval --collect x", "unrecognized arguments: --collect"),
    ],
)
def test_a_command_that_cannot_be_read_is_refused(line: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        parse_command(line)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("i --encoder bm25", "an index and encoder 'bm25' are both given"),
        ("i --query-idf min", "an index and query idf 'min' are both given"),
        ("i --directory d", "an index and directory 'd' are both given"),
        ("i --encoder-setting a=1", "an index and encoder settings are both given"),
        ("--scoring int4", "scoring is 'int4'"),
        ("--threads 0", "threads is 0"),
        ("--k 0", "k is 0"),
        ("--encoder-setting k1", "the setting 'k1' is not NAME=VALUE"),
    ],
)
def test_contradictions_and_illegal_values_are_refused(options: str, message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message):
        parse_command(f"lsr eval --collection x {options}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("a=1", 1), ("a=1.0", 1.0), ("a=True", True), ("a=none", None), ("a=x=y", "x=y"), ("a=", ""), ("a=1e-3", 1e-3)],
)
def test_settings_are_read_by_their_looks(text: str, value: object) -> None:
    name, found = parse_setting(text)
    assert name == "a"
    assert found == value
    assert type(found) is type(value)


def test_the_options_are_those_of_the_cli() -> None:
    """So that a command in a regression file is one that a person can run."""
    app = typer.Typer(add_completion=False)
    app.command()(run)
    parameters = typer.main.get_command(app).params
    theirs = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    ours = {option for action in _parser()._actions for option in action.option_strings}
    assert {option for option in theirs if option.startswith("--")} == ours | {"--regressions", "--data"}


def test_a_request_goes_all_the_way(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "birds")
    with Index.create(tmp_path / "index", encoder="bm25") as index:
        index.add(load_collection(folder).documents())
    by_index = parse_command(f"lsr eval {tmp_path}/index --collection {folder} --run {tmp_path}/run.trec").execute()
    by_encoder = parse_command(f"lsr eval --collection {folder} --encoder bm25").execute(command="as told")
    assert by_index.measures == by_encoder.measures
    assert by_encoder.provenance["command"] == "as told"
    assert measure_run(read_run(tmp_path / "run.trec"), QRELS).mean == by_index.measures


def test_what_is_not_an_index_is_refused(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "birds")
    with pytest.raises(NotAnIndexError):
        EvalRequest(collection=str(folder), index=str(tmp_path / "nothing")).execute()

"""Provenance: every figure says what made it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import lsr
from lsr.eval.provenance import cpu_model, environment, git_state, version


def test_the_environment_is_json_and_complete() -> None:
    found = json.loads(json.dumps(environment(command="lsr eval x", threads=2, seed=5)))
    assert found["command"] == "lsr eval x"
    assert (found["threads"], found["seed"]) == (2, 5)
    assert found["lsr"] == version("lsr-engine")
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"numpy", "ir-measures"} <= set(found["libraries"])
    assert found["cpu"] == cpu_model()
    assert datetime.now(UTC) - datetime.fromisoformat(found["date"]) < timedelta(minutes=1)


def test_without_a_command_the_process_is_named() -> None:
    assert sys.argv[0] in environment()["command"]


def test_the_commit_is_that_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    package = tmp_path / "lsr"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(lsr, "__file__", str(package / "__init__.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state() is None
    git("init", "--quiet")
    assert git_state() is None  # installed below a repository, but not part of it
    git("add", ".")
    assert git_state() is None  # no commit yet
    git("commit", "--quiet", "-m", "first")
    assert git_state() == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (package / "__init__.py").write_text("x = 1\n")
    assert git_state() == {"commit": git("rev-parse", "HEAD"), "dirty": True}


def test_a_machine_without_git_has_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state() is None


def test_an_unknown_distribution_has_no_version() -> None:
    assert version("no-such-distribution-at-all") is None

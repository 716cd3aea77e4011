"""What the README shows runs as it stands there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_examples(tmp_path: Path) -> None:
    """One after the other in one place: the later ones go on with the index of the first."""
    first, *others = (run([sys.executable, "-W", "error", "-c", code], tmp_path) for code in blocks("python"))
    lines = first.splitlines()
    assert lines[0].startswith("1 tern ")
    assert "'fly'" in lines[0]
    assert others == [""]


def shell_lines() -> list[str]:
    """Commands of lsr in the README, without comments; those that serve or train would not end."""
    lines = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("lsr ") and not re.search(r" (serve|eval|train) ", line)]


def test_the_shell_examples(tmp_path: Path) -> None:
    texts = ["Birds find their way by the stars.", "Fish find their way by smell."]
    rows = [json.dumps({"_id": str(number), "title": "", "text": text}) for number, text in enumerate(texts)]
    (tmp_path / "docs.jsonl").write_text("\n".join(rows))
    (tmp_path / "backups").mkdir()
    commands = shell_lines()
    assert len(commands) >= 4
    for line in commands:
        if "--encoder bm25" in line:  # it stands for another index of the same name
            line = line.replace("my-index", "my-bm25-index")
        output = run([sys.executable, "-m", "lsr.cli", *shlex.split(line)[1:]], tmp_path)
        if " search " in line:
            assert "Birds find their way" in output


def test_the_evaluation_example(tmp_path: Path, beir_folder: Path) -> None:
    (line,) = [line for block in blocks("sh") for line in block.splitlines() if "path/to/scifact" in line]
    command = shlex.split(line.split(" #")[0].replace("path/to/scifact", str(beir_folder)))
    output = run([sys.executable, "-m", "lsr.cli", *command[1:], "--json"], tmp_path)
    figures = json.loads(output)
    assert 0 < figures["nDCG@10"] < 1
    assert figures["provenance"]["collection"]["documents"] == 82


@pytest.fixture
def beir_folder(beir: object) -> Path:
    path: Path = beir("adi")  # type: ignore[operator]
    return path


@pytest.mark.parametrize("name", re.findall(r"\]\(([a-zA-Z_./-]+)\)", README))
def test_links_lead_somewhere(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE))))
def test_targets_exist(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)

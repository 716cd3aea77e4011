"""Shared fixtures: where judged collections lie, when they are there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests never judge speed: a busy machine must not fail one.
settings.register_profile("lsr", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lsr")

#: A checkout's data folder; `LSR_DATA` names another.
DATA = Path(os.environ.get("LSR_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def beir() -> Callable[[str], Path]:
    """`beir("scifact")`: the folder of a judged collection; skips the test where it is absent."""

    def folder(name: str) -> Path:
        path = DATA / "beir" / name
        if not path.is_dir():
            pytest.skip(f"needs the judged collection {path} (set LSR_DATA to the folder that holds beir/)")
        return path

    return folder

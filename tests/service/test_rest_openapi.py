"""The committed description is the application's, and is complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lsr.service import openapi

COMMITTED = Path(__file__).parents[2] / "service" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def test_the_committed_file_is_what_the_application_says(document: dict[str, Any]) -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == document, (
        "run: python -m lsr.service.openapi service/openapi.json"
    )


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    openapi.main([str(tmp_path / "openapi.json")])
    openapi.main([])
    assert (tmp_path / "openapi.json").read_text(encoding="utf-8") == capsys.readouterr().out
    assert (tmp_path / "openapi.json").read_bytes() == COMMITTED.read_bytes()


def test_every_error_that_is_declared_has_the_one_shape(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            assert operation["description"], (verb, path)
            declared = operation["responses"]
            if path.startswith("/v1/"):
                assert {"400", "422", "500", "503"} <= set(declared), (verb, path)
            if "requestBody" in operation:
                assert {"409", "413", "415"} <= set(declared), (verb, path)
            for status, response in declared.items():
                schema = response["content"]["application/json"]["schema"]
                assert (schema == {"$ref": "#/components/schemas/ErrorResponse"}) == (status != "200"), (verb, path)


def test_operations_have_ids_of_their_own(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(ids) == len(set(ids))

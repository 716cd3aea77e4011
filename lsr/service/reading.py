"""Reads what a client sends, strictly: a JSON body or a query string to validated values, or a `Problem` that names
the field.

Stricter than Python's `json` and than FastAPI: invalid UTF-8, repeated fields, unpaired surrogates and absurd nesting
are refused, and so is every body that does not call itself JSON (which also keeps other sites' forms out).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from lsr.service.errors import Problem, echo

Model = TypeVar("Model", bound=BaseModel)

#: Parameters of a query string, a bound against abuse.
MAX_PARAMETERS = 100


def check_media_type(request: Request) -> None:
    """Refuse a body that is not plain JSON: 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        found = f"'{echo(kind)}'" if kind else "missing"
        raise Problem(
            415, "unsupported_media_type", f"Content-Type is {found}, it must be application/json", "Content-Type"
        )
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise Problem(
            415, "unsupported_media_type", f"Content-Encoding '{echo(coding)}' is not read", "Content-Encoding"
        )


def parse_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. Not a number and infinity pass: the model refuses them by name."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_unique, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise Problem(400, "invalid_json", f"the body is not UTF-8: byte {error.start} cannot be decoded") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Problem(400, "invalid_json", f"the body is not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise Problem(400, "invalid_json", "the body is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for key, value in pairs:
        if not key.isascii() and any("\ud800" <= character <= "\udfff" for character in key):
            raise Problem(422, "invalid_request", f"the field '{echo(key)}' has an unpaired surrogate", echo(key))
        if key in record:
            raise Problem(422, "invalid_request", f"the field '{echo(key)}' is given twice", echo(key))
        record[key] = value
    return record


def _integer(digits: str) -> int | float:
    # Python refuses to convert thousands of digits; as a double such a number is merely out of every range.
    return int(digits) if len(digits) <= 400 else float(digits)


def validate(model: type[Model], value: Any) -> Model:
    """A checked instance of `model`; the first thing that is wrong becomes a 422 with its field."""
    try:
        return model.model_validate(value)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_input=False, include_context=False)[0]
        path = [str(part) for part in first["loc"] if part != "[key]"]
        field = echo(".".join(path)) if path else None
        message = first["msg"].replace("Input", "it", 1) if first["msg"].startswith("Input") else first["msg"]
        if first["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise Problem(422, "invalid_request", f"the field '{field}' is unknown; known are {known}", field) from None
        if field is None:
            raise Problem(422, "invalid_request", "the body must be a JSON object", None) from None
        raise Problem(422, "invalid_request", f"{field}: {message}", field) from None


def parameters(request: Request, allowed: Collection[str] = ()) -> dict[str, str]:
    """The parameters of the query string: each at most once, none that is not in `allowed`."""
    raw: bytes = request.scope.get("query_string", b"")
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise Problem(400, "invalid_parameters", "the query string is not percent-encoded UTF-8") from None
    except ValueError:
        raise Problem(400, "invalid_parameters", f"more than {MAX_PARAMETERS} parameters") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in allowed:
            known = f"known are {', '.join(allowed)}" if allowed else "this address takes none"
            raise Problem(422, "invalid_request", f"the parameter '{echo(name)}' is unknown; {known}", echo(name))
        if name in found:
            raise Problem(422, "invalid_request", f"the parameter '{name}' is given twice", name)
        found[name] = value
    return found


def typed(values: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a search with the types of the JSON body: `k` a number, `explain` true or false.

    What does not look like one stays a string, for the model to refuse.
    """
    record: dict[str, Any] = dict(values)
    if re.fullmatch(r"-?[0-9]{1,20}", values.get("k", "")):
        record["k"] = int(values["k"])
    if values.get("explain") in ("true", "false"):
        record["explain"] = values["explain"] == "true"
    return record

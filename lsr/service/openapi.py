"""The description of the service: what the routes say of themselves beyond their models, and the committed file.

``python -m lsr.service.openapi service/openapi.json`` writes that file anew; a test compares it with the application.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lsr.service import models

DESCRIPTION = """\
Search indexes of learned sparse vectors. Scores, hits and their order are those of the Python API and of `lsr search`,
to the last bit.

Every error has one shape, `{"error": {"code", "message", "field"}}`. Unknown fields and parameters are refused.
Every answer carries `X-Request-ID`, the request's own where it sent one. HEAD is taken wherever GET is.
"""

_ERRORS = {
    400: "The body or the query string cannot be read",
    404: "No such index, document or address",
    409: "The vector is another encoder's",
    413: "The body is larger than 1 MiB",
    415: "The body is not application/json",
    422: "A field or parameter is unknown, missing or outside its legal values",
    500: "The index is damaged, or the server failed",
    503: "Too many requests are waiting, or an index cannot be read at the moment",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, besides those that every route can give (400, 422, 500, 503)."""
    chosen = sorted({400, 422, 500, 503, *statuses})
    return {status: {"model": models.ErrorResponse, "description": _ERRORS[status]} for status in chosen}


def search_body() -> dict[str, Any]:
    """The body of a search, for `openapi_extra`: the route reads it itself, more strictly than FastAPI does."""
    schema = models.SearchRequest.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def search_parameters() -> dict[str, Any]:
    """The same as parameters of an address; a vector does not fit into one."""
    properties = models.SearchRequest.model_json_schema()["properties"]
    query = next(choice for choice in properties["query"]["anyOf"] if choice["type"] == "string")
    chosen = {"query": query, "k": properties["k"], "explain": properties["explain"]}
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name == "query",
                "description": properties[name]["description"],
                "schema": {key: value for key, value in schema.items() if key not in ("title", "description")},
            }
            for name, schema in chosen.items()
        ]
    }


def document() -> dict[str, Any]:
    """The OpenAPI document of the service; it is the same whatever is served."""
    from lsr.service.app import create_app

    return create_app({}).openapi()


def main(arguments: list[str]) -> None:
    """Write the document to the file that is named, or to the standard output."""
    text = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The application: addresses to calls of `Index`, its records to JSON.

Handlers read a request on the event loop and do everything else in `Workers`, from parsing to writing the answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from lsr.errors import InvalidSettingError, LsrError
from lsr.index.options import EXACT, for_recall
from lsr.service import models
from lsr.service.errors import Problem, encode, from_lsr_error, install_handlers
from lsr.service.middleware import Edge
from lsr.service.openapi import DESCRIPTION, errors, search_body, search_parameters
from lsr.service.reading import check_media_type, parameters, parse_json, typed, validate
from lsr.service.served import ServedIndex
from lsr.service.workers import Workers
from lsr.vectors import SparseVectors

if TYPE_CHECKING:
    from lsr.engine.index import Index

PAGE = Path(__file__).parent / "page"


class _AnyId(Convertor[str]):
    """A document's id: whatever follows in the address, slashes and line breaks too."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anyid", _AnyId())


def create_app(
    indexes: Mapping[str, Index],
    *,
    examples: Mapping[str, Sequence[str]] | None = None,
    threads: int | None = None,
    waiting: int = 1000,
    refresh_seconds: float = 0.5,
) -> FastAPI:
    """The application that serves `indexes`.

    Parameters
    ----------
    indexes : mapping of str to Index
        By the name that addresses use. They stay the caller's: open before, closed after.
    examples : mapping of str to sequence of str, optional
        Queries that the page offers for an index.
    threads, waiting
        See `Workers`.
    refresh_seconds : float
        How long an index may serve a generation after a writer has committed a newer one.

    Raises
    ------
    InvalidSettingError
        A name that an address cannot hold.
    """
    examples = examples or {}
    served = {name: ServedIndex(name, each, examples.get(name, ()), refresh_seconds) for name, each in indexes.items()}
    for name in served:
        check_name(name)
    workers = Workers(threads, waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()
        for one in served.values():
            one.close()

    app = FastAPI(
        title="lsr",
        summary="Learned sparse retrieval over HTTP",
        description=DESCRIPTION,
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    install_handlers(app)
    app.add_middleware(Edge)
    _add_indexes(app, served, workers)
    _add_search(app, served, workers)
    _add_health(app, served, workers)
    _add_pages(app)
    return app


def check_name(name: str) -> None:
    """Raise `InvalidSettingError` where `name` cannot stand in an address."""
    if not models.INDEX_NAME.fullmatch(name):
        raise InvalidSettingError(
            f"'{name}' cannot name an index in an address",
            remedy="Use 1 to 128 letters, digits, '.', '_' or '-', a letter or digit first, as in NAME=DIRECTORY",
        )


def _find(served: Mapping[str, ServedIndex], name: str) -> ServedIndex:
    if name not in served:
        known = ", ".join(list(served)[:20]) or "none"
        raise Problem(404, "index_not_found", f"no index of that name is served; there are: {known}", "index")
    return served[name]


def _json(job: Callable[[], object]) -> Callable[[], Response]:
    """`job`, with its record written as JSON and the engine's exceptions told as problems."""

    def answer() -> Response:
        try:
            return Response(encode(job()), media_type="application/json")
        except LsrError as error:
            raise from_lsr_error(error) from error

    return answer


def _add_indexes(app: FastAPI, served: Mapping[str, ServedIndex], workers: Workers) -> None:
    """What is served, and its documents."""

    def summary(one: ServedIndex) -> dict[str, Any]:
        index = one.current()
        with index.snapshot() as snapshot:  # documents and generation of one moment, without the counting of `info`
            return {
                "name": one.name,
                "documents": snapshot.state.documents,
                "generation": snapshot.generation,
                "encoder": index.encoder.name,
                "query_idf": index.query_idf,
                "fingerprint": index.encoder.fingerprint,
                "examples": one.examples,
            }

    @app.get("/v1/indexes", tags=["indexes"], responses={200: {"model": models.IndexList}, **errors()})
    async def list_indexes(request: Request) -> Response:
        """Every index that is served."""
        parameters(request)
        return await workers.run(_json(lambda: {"indexes": [summary(one) for one in served.values()]}))

    @app.get("/v1/indexes/{index}", tags=["indexes"], responses={200: {"model": models.IndexInfo}, **errors(404)})
    async def get_index(request: Request, index: str) -> Response:
        """One index: its encoder, its size, its segments."""
        parameters(request)
        one = _find(served, index)

        def job() -> dict[str, Any]:
            record = one.current().info().to_dict()
            del record["path"]  # where it lies on this machine is nobody's business
            return {"name": one.name, **record}

        return await workers.run(_json(job))

    @app.get(
        "/v1/indexes/{index}/documents/{id:anyid}",
        tags=["documents"],
        responses={200: {"model": models.Document}, **errors(404)},
    )
    async def get_document(request: Request, index: str, id: str) -> Response:
        """One document as it was stored. The id is the rest of the address, slashes and all, percent-encoded."""
        parameters(request)
        one = _find(served, index)

        def job() -> dict[str, Any]:
            document = one.current().document(id)
            return {
                "id": document.id,
                "title": document.title,
                "text": document.text,
                "metadata": document.metadata,
            }

        return await workers.run(_json(job))


def _add_search(app: FastAPI, served: Mapping[str, ServedIndex], workers: Workers) -> None:
    """Search, in two forms that give the same answer."""

    def search(one: ServedIndex, wanted: models.SearchRequest) -> dict[str, Any]:
        field = "query" if wanted.vector is None else "vector"
        if (wanted.query is None) == (wanted.vector is None):
            raise Problem(422, "invalid_request", "give query or vector, exactly one of them", "query")
        if (wanted.vector is None) != (wanted.fingerprint is None):
            raise Problem(422, "invalid_request", "fingerprint and vector go together", "fingerprint")
        index = one.current()
        try:
            vector = None
            if wanted.vector is not None:
                row = {int(term): weight for term, weight in wanted.vector.items()}
                vector = SparseVectors.from_dicts([row], index.encoder.dim)
            answer = index.search(
                wanted.query,
                vector=vector,
                fingerprint=wanted.fingerprint,
                k=wanted.k,
                explain=wanted.explain,
                filter=wanted.filter,
                options=EXACT if wanted.recall is None else for_recall(wanted.recall),
            )
        except LsrError as error:
            raise from_lsr_error(error, field=field) from error
        return answer.to_dict()

    @app.post(
        "/v1/indexes/{index}/search",
        tags=["search"],
        responses={200: {"model": models.SearchResponse}, **errors(404, 409, 413, 415)},
        openapi_extra=search_body(),
    )
    async def search_index(request: Request, index: str) -> Response:
        """The k documents that match best, exactly."""
        parameters(request)
        one = _find(served, index)
        check_media_type(request)
        body = await request.body()
        return await workers.run(_json(lambda: search(one, validate(models.SearchRequest, parse_json(body)))))

    @app.get(
        "/v1/indexes/{index}/search",
        tags=["search"],
        responses={200: {"model": models.SearchResponse}, **errors(404)},
        openapi_extra=search_parameters(),
    )
    async def search_index_by_address(request: Request, index: str) -> Response:
        """The same for a query in the address, for a browser or a shell."""
        found = parameters(request, ("query", "k", "explain"))
        one = _find(served, index)
        return await workers.run(_json(lambda: search(one, validate(models.SearchRequest, typed(found)))))


def _add_health(app: FastAPI, served: Mapping[str, ServedIndex], workers: Workers) -> None:
    """For whoever watches over the process. Query parameters are ignored: probes like to add some."""

    @app.get("/healthz", tags=["health"], responses={200: {"model": models.Health}})
    async def healthz() -> Response:
        """The process is alive."""
        return Response(encode({"status": "ok"}), media_type="application/json")

    @app.get("/readyz", tags=["health"], responses={200: {"model": models.Readiness}, **errors()})
    async def readyz() -> Response:
        """Every index can be searched at its newest generation; 503 where one cannot."""

        def job() -> dict[str, Any]:
            generations = {}
            for name, one in served.items():
                try:
                    generations[name] = one.current().generation
                except LsrError as error:
                    one.trouble = error
            troubled = ", ".join(name for name, one in served.items() if one.trouble is not None)
            if troubled:
                raise Problem(503, "not_ready", f"the newest generation cannot be opened: {troubled}; see the log")
            return {"status": "ready", "indexes": generations}

        return await workers.run(_json(job))


def _add_pages(app: FastAPI) -> None:
    """The search page, the reference of the API, and their files. They load nothing from elsewhere."""

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(PAGE / "docs.html")

    app.mount("/page", StaticFiles(directory=PAGE))

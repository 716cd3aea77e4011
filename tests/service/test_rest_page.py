"""The page's files: they load nothing from elsewhere, run nothing inline, and put nothing in as HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from service_help import ask

from lsr.service import create_app
from lsr.service.app import PAGE

FILES = sorted(PAGE.iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_keeps_to_itself(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    addresses = {address for address in re.findall(r"https?://[^\s\"'`<>)]+", text) if "www.w3.org" not in address}
    assert not addresses
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "javascript:",
    ):
        assert forbidden not in text


@pytest.mark.parametrize("file", [file for file in FILES if file.suffix == ".html"], ids=lambda file: file.name)
def test_a_page_runs_nothing_inline(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", text) == []


def test_every_file_is_served_with_its_type() -> None:
    app = create_app({})
    kinds = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for file in FILES:
        response = ask(app, "GET", f"/page/{file.name}")
        assert response.status_code == 200
        assert response.content == file.read_bytes()
        assert response.headers["content-type"].partition(";")[0] == kinds[file.suffix]
        unchanged = ask(app, "GET", f"/page/{file.name}", headers={"If-None-Match": response.headers["etag"]})
        assert unchanged.status_code == 304
    assert ask(app, "GET", "/?q=anything&k=20").content == (PAGE / "index.html").read_bytes()
    assert ask(app, "GET", "/docs").content == (PAGE / "docs.html").read_bytes()


def test_what_the_pages_refer_to_is_there() -> None:
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        for name in re.findall(r"[\"']/page/([^\"']+)[\"']", text) + re.findall(r"from \"\./([^\"]+)\"", text):
            assert (PAGE / name).is_file(), (file.name, name)


def test_the_script_finds_every_element_that_it_asks_for() -> None:
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    wanted = set(re.findall(r"byId\(\"([a-z]+)\"\)", (PAGE / "app.js").read_text(encoding="utf-8")))
    assert wanted <= set(re.findall(r"\sid=\"([a-z]+)\"", html))

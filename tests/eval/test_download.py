"""Downloads from a server on this machine that stops, lies, and answers ranges or does not."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tiny_collection import write_collection

from lsr.errors import EvaluationError
from lsr.eval import catalogue
from lsr.eval.catalogue import archive_of, get_dataset, is_here, list_datasets
from lsr.eval.download import download

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Server:
    """What the server does and what it was asked."""

    content: bytes = CONTENT
    tag: str | None = '"1"'
    ranges: bool = True
    cut: list[int] = field(default_factory=list)  # bytes of the body after which each next answer ends
    status: list[int] = field(default_factory=list)  # errors to answer first
    asked: list[str | None] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/scifact.zip"


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            if server.status:
                self.send_error(server.status.pop(0))
                return
            start = 0
            if wanted and server.ranges and self.headers.get("If-Range") == server.tag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
            else:
                self.send_response(200)
            body = server.content[start:]
            self.send_header("Content-Length", str(len(body)))
            if server.tag:
                self.send_header("ETag", server.tag)
            self.end_headers()
            self.wfile.write(body[: server.cut.pop(0)] if server.cut else body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        server.port = httpd.server_address[1]
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join(timeout=10)


def test_a_file_comes_whole_and_checked(tmp_path: Path) -> None:
    moved: list[tuple[int, int | None]] = []
    with serving(Server()) as server:
        place = download(server.url, tmp_path / "deep" / "x.zip", md5=MD5, progress=lambda *m: moved.append(m))
        download(server.url, place, md5=MD5)  # it is there: nothing is asked
    assert place.read_bytes() == CONTENT
    assert [path.name for path in place.parent.iterdir()] == ["x.zip"]
    assert moved[0] == (0, len(CONTENT))
    assert moved[-1] == (len(CONTENT), len(CONTENT))
    assert len(server.asked) == 1


def test_a_connection_that_ends_early_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    with serving(Server(cut=[300_000, 200_000])) as server:
        download(server.url, tmp_path / "x", md5=MD5, pause=0.001)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_another_process_goes_on_where_one_was_stopped(tmp_path: Path) -> None:
    def stop(done: int, total: int | None) -> None:
        if done > 400_000:
            raise KeyboardInterrupt

    with serving(Server()) as server:
        with pytest.raises(KeyboardInterrupt):
            download(server.url, tmp_path / "x", md5=MD5, progress=stop)
        assert not (tmp_path / "x").exists()
        assert (tmp_path / "x.part").stat().st_size > 400_000
        download(server.url, tmp_path / "x", md5=MD5)
    assert server.asked[0] is None
    assert str(server.asked[1]).startswith("bytes=5")
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize("change", ["tag", "no ranges", "no tag"])
def test_what_cannot_be_taken_up_begins_anew(tmp_path: Path, change: str) -> None:
    server = Server(cut=[300_000])
    if change == "no ranges":
        server.ranges = False
    if change == "no tag":
        server.tag = None
    with serving(server):
        if change == "tag":  # the file behind the address changes in between

            def swap(done: int, total: int | None) -> None:
                if done >= 250_000:
                    server.tag = '"2"'

            download(server.url, tmp_path / "x", md5=MD5, pause=0.001, progress=swap)
        else:
            download(server.url, tmp_path / "x", md5=MD5, pause=0.001)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_corrupted_download_is_refused_by_its_checksum(tmp_path: Path) -> None:
    broken = bytearray(CONTENT)
    broken[12_345] ^= 1
    with serving(Server(content=bytes(broken))) as server:
        with pytest.raises(EvaluationError, match=rf"MD5 [0-9a-f]{{32}}, {MD5} was expected: it is refused"):
            download(server.url, tmp_path / "x", md5=MD5)
        assert list(tmp_path.iterdir()) == []
        server.content = CONTENT
        download(server.url, tmp_path / "x", md5=MD5)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_part_that_was_damaged_on_disk_is_refused_and_fetched_anew(tmp_path: Path) -> None:
    with serving(Server(cut=[300_000, 0, 0, 0, 0, 0])) as server:
        with pytest.raises(EvaluationError, match="cannot be downloaded: "):
            download(server.url, tmp_path / "x", md5=MD5, pause=0.001)
        part = bytearray((tmp_path / "x.part").read_bytes())
        part[7] ^= 1
        (tmp_path / "x.part").write_bytes(part)
        server.cut.clear()
        with pytest.raises(EvaluationError, match="it is refused"):
            download(server.url, tmp_path / "x", md5=MD5, pause=0.001)
        download(server.url, tmp_path / "x", md5=MD5, pause=0.001)
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(tmp_path: Path) -> None:
    with serving(Server(status=[503, 500])) as server:
        download(server.url, tmp_path / "x", md5=MD5, pause=0.001)
        assert len(server.asked) == 3
        server.status = [404]
        with pytest.raises(EvaluationError, match="answers 404"):
            download(server.url, tmp_path / "y", pause=0.001)
        assert len(server.asked) == 4


def test_no_server_and_no_address(tmp_path: Path) -> None:
    with serving(Server()) as server:
        url = server.url
    with pytest.raises(EvaluationError, match="goes on where this one stopped"):
        download(url, tmp_path / "x", pause=0.001)
    with pytest.raises(EvaluationError, match="is no address to download from"):
        download("file:///etc/passwd", tmp_path / "x")


def test_a_set_goes_where_ir_datasets_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path))
    entry = {**catalogue._downloads()["beir"]["scifact"], "expected_md5": MD5}
    monkeypatch.setattr(catalogue, "_downloads", lambda: {"beir": {"scifact": entry}})
    assert not is_here("beir/scifact/test")
    with serving(Server()) as server:
        place = get_dataset("scifact", mirror=f"http://127.0.0.1:{server.port}/")
    assert place == tmp_path / "beir" / "scifact" / "source.zip"
    assert is_here("beir/scifact/test")


def test_an_archive_that_lies_where_we_put_it_is_evaluated_without_a_network(tmp_path: Path) -> None:
    """ir_datasets reads its folder when it is imported, so in a process of its own."""
    folder = write_collection(tmp_path / "scifact")
    place = tmp_path / "home" / "beir" / "scifact" / "source.zip"
    place.parent.mkdir(parents=True)
    with zipfile.ZipFile(place, "w") as archive:
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
            archive.write(folder / name, f"scifact/{name}")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    environment = {**os.environ, **nowhere, "IR_DATASETS_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "lsr.cli", "eval", "--collection", "beir/scifact", "--encoder", "bm25", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=240)
    assert json.loads(done.stdout)["R@100"] == 1.0


def test_the_right_touche_and_one_archive_for_all_forums() -> None:
    assert archive_of("webis-touche2020").place.parts[-3:] == ("webis-touche2020", "v2", "source.zip")
    assert archive_of("beir/cqadupstack/android") == archive_of("cqadupstack")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scifct", "Did you mean scifact"),
        ("touche2020", "Did you mean webis-touche2020"),
        ("bioasq", "may not be distributed"),
        ("msmarco-passage/dev", "It comes by itself, checked"),
        ("zzzzzz", "See what is known"),
    ],
)
def test_a_set_that_cannot_be_had_says_why_and_what_is_near(name: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        archive_of(name)


def test_the_list_tells_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "cache"))
    for name in ("beir/scifact", "mine"):
        (tmp_path / name / "qrels").mkdir(parents=True)
    (tmp_path / "cache" / "beir" / "arguana").mkdir(parents=True)
    (tmp_path / "cache" / "beir" / "arguana" / "source.zip").write_bytes(b"")
    found = {dataset.name: dataset for dataset in list_datasets(tmp_path)}
    here = {name for name, dataset in found.items() if dataset.here}
    assert here == {"scifact", "mine", "arguana"}
    assert len(found) == 20
    assert found["bioasq"].download == "private"
    assert found["scifact"].averages == ("BEIR-13", "BEIR-14", "BEIR-15", "BEIR-18")
    with pytest.raises(EvaluationError, match="there is no folder"):
        list_datasets(tmp_path / "nothing")

"""A stand-in for the Hugging Face Hub on loopback: HEAD and GET of `/OWNER/NAME/resolve/REVISION/FILE`.

Speaks of files as the Hub does of large ones (sha256 as ETag, Range requests), and can break off.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """`files` maps `OWNER/NAME/FILE` to contents. `break_after` ends each transfer after so many bytes,
    as long as `breaks` lasts. `asked` holds the Range header (or None) of every GET."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.digests: dict[str, str] = {}
        self.break_after = 0
        self.breaks = 0
        self.broken = False
        self.asked: list[str | None] = []
        self.authorized: list[str | None] = []
        self.endpoint = ""


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port; gone when the block ends."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            hub.asked.append(self.headers["Range"])
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            hub.authorized.append(self.headers["Authorization"])
            owner, name, resolve, revision, *path = self.path.strip("/").split("/")
            key = "/".join((owner, name, *path))
            if body and hub.broken:
                self._refuse(500, "")
            elif not any(known.startswith(f"{owner}/{name}/") for known in hub.files):
                self._refuse(404, "RepoNotFound")
            elif revision != "main":
                self._refuse(404, "RevisionNotFound")
            elif key not in hub.files or resolve != "resolve":
                self._refuse(404, "EntryNotFound")
            else:
                self._send(key, body)

        def _send(self, key: str, body: bool) -> None:
            data = hub.files[key]
            asked = self.headers["Range"] if body else None
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            self.send_response(206 if asked else 200)
            self.send_header("ETag", f'"{hub.digests.get(key, sha256(data).hexdigest())}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(data) - start))
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.end_headers()
            if not body:
                return
            if hub.breaks:
                hub.breaks -= 1
                self.wfile.write(data[start : start + hub.break_after])
                self.close_connection = True
            else:
                self.wfile.write(data[start:])

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.endpoint = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()

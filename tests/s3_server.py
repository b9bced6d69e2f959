"""moto's S3 over real HTTP on a free port: what a place in a cloud is to a test."""

import logging
import urllib.request
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import fsspec
from moto.server import ThreadedMotoServer

BUCKET = "books"


class S3Server:
    """`fails`: asked before each request with its method and path; where it says yes, the answer is a 500."""

    def __init__(self) -> None:
        self.fails: Callable[[str, str], bool] = lambda method, path: False
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)

    def __enter__(self) -> Self:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        # What an earlier server of this process held is shared memory.
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")).close()
        server = self._server._server
        assert server is not None
        served = server.app

        def app(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            if self.fails(environ["REQUEST_METHOD"], environ["PATH_INFO"]):
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start("500 Internal Server Error", [("Content-Length", "0")])
                return [b""]
            return served(environ, start)

        server.app = app
        fsspec.filesystem("s3", **self.options).mkdir(BUCKET)
        return self

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}/guessbook"

    @property
    def options(self) -> dict[str, Any]:
        return {"key": "tester", "secret": "not-a-secret", "endpoint_url": self.endpoint}

    def stop(self) -> None:
        self._server.stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

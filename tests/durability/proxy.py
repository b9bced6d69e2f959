"""A TCP proxy that cuts a connection after so many bytes: what was under way is lost, in either direction."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

BLOCK = 65536


class Proxy:
    """Listens on a free port and passes on to `target`. The n-th connection is cut after `cut_after(n)` bytes from the server; None: never."""

    def __init__(self, target: str, cut_after: Callable[[int], int | None]) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._cut_after = cut_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._listener)
        self._threads[0].join()
        for connection in self._sockets:
            _end(connection)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            limit = self._cut_after(self.connections)
            self.connections += 1
            try:
                server = socket.create_connection(self._target)
            except ConnectionRefusedError:
                client.close()
                continue
            self._sockets += [client, server]
            for source, sink, left in ((client, server, None), (server, client, limit)):
                thread = threading.Thread(target=_pass_on, args=(source, sink, left), daemon=True)
                self._threads.append(thread)
                thread.start()


def _pass_on(source: socket.socket, sink: socket.socket, left: int | None) -> None:
    try:
        while left is None or left > 0:
            data = source.recv(BLOCK if left is None else min(left, BLOCK))
            if not data:
                break
            sink.sendall(data)
            if left is not None:
                left -= len(data)
    except OSError:  # the other direction was cut
        pass
    finally:
        _end(source)
        _end(sink)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is gone already
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()

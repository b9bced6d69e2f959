"""OpenSSH's own sshd, serving SFTP on a free port of the loopback to whoever runs the test, with keys of its own."""

import os
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_CONFIG = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PasswordAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
LogLevel ERROR
"""


def require() -> None:
    """Skips the test without sshd; on CI, where it must be there, it fails."""
    if SSHD is None:
        reason = "needs OpenSSH's sshd; on Debian and Ubuntu: apt install openssh-server"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


class _Listener(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)
        self._serve = serve

    def finish_request(self, request: Any, client_address: Any) -> None:
        self._serve(request)


class SftpServer:
    """Listens itself and hands each connection to an sshd of its own, as inetd does: so a free port needs no guessing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sshd"
        self._folder.mkdir()
        self.place = folder / "remote"
        self.place.mkdir()
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._folder / name], check=True)
        (self._folder / "config").write_text(_CONFIG.format(folder=self._folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own start script makes it
        self._processes: list[subprocess.Popen[bytes]] = []
        self._server = _Listener(self._serve)
        self._thread = threading.Thread(target=self._server.serve_forever)
        host_key = (self._folder / "host_key.pub").read_text()
        (self._folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"sftp://127.0.0.1:{self.port}{self.place}"

    @property
    def options(self) -> dict[str, Any]:
        return {
            "key_filename": str(self._folder / "user_key"),
            "known_hosts": str(self._folder / "known_hosts"),
            "allow_agent": False,
            "look_for_keys": False,
        }

    def _serve(self, connection: socket.socket) -> None:
        assert SSHD
        command = [SSHD, "-i", "-f", str(self._folder / "config"), "-E", str(self._folder / "log")]
        with subprocess.Popen(command, stdin=connection.fileno(), stdout=connection.fileno()) as process:
            self._processes.append(process)

    def stop(self) -> None:
        """Also ends the connections that are open."""
        for process in self._processes:
            process.terminate()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

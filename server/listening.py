"""Where the server listens: on this machine alone, or with TLS anywhere. Knows sockets and certificates, no service."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Listening:
    """`client_ca`: whoever connects must show a certificate of this authority, whose common name is then the actor."""

    host: str
    port: int  # 0: a free one
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def check(self) -> None:
        """Raises ValueError for what is no port, or would not be safe."""
        if not 0 <= self.port <= 65535:
            raise ValueError(f"{self.port} is not a port; they go from 0 to 65535")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("--tls-cert and --tls-key belong together; give both")
        if self.client_ca and not self.certificate:
            raise ValueError("--tls-client-ca needs --tls-cert and --tls-key")
        if not self.certificate and not is_loopback(self.host):
            raise ValueError(
                f"{self.host} is not a loopback address; to listen there, give --tls-cert and --tls-key: "
                "tokens and data would travel for everybody to read"
            )

    def open(self, server: grpc.aio.Server) -> str:
        """Takes the port and returns the address at which this machine reaches it. Raises OSError."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        bind = f"{host}:{self.port}"
        try:
            if self.certificate and self.key:
                port = server.add_secure_port(bind, self._credentials(self.certificate, self.key))
            else:
                port = server.add_insecure_port(bind)
        except RuntimeError as error:
            raise OSError(
                f"{bind} can't be listened on: another program may use this port, or a TLS file is none"
            ) from error
        return f"{'localhost' if _is_any(self.host) else host}:{port}"

    def _credentials(self, certificate: Path, key: Path) -> grpc.ServerCredentials:
        authority = self.client_ca.read_bytes() if self.client_ca else None
        return grpc.ssl_server_credentials(
            [(key.read_bytes(), certificate.read_bytes())], authority, require_client_auth=authority is not None
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_any(host: str) -> bool:
    """Whether it stands for all addresses of this machine, and so is none that one could connect to."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False

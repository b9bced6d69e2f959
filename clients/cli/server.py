"""`guessbook server`."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, BaseModel
from guessbook.clients.cli.parts import become, server_command
from guessbook.store.home import Home


def server(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 7430,
    base_model: BaseModel = "",
    host: Annotated[
        str, typer.Option(help="Address to listen on: a loopback address, or any of this machine's with TLS.")
    ] = "127.0.0.1",
    tls_cert: Annotated[Path | None, typer.Option(metavar="FILE", help="The server's certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key, PEM.")] = None,
    tls_client_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Let in only clients with a certificate of this authority.")
    ] = None,
    checkpoint_dir: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Write signed checkpoints there too, outside the data folder. Repeatable."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Serve Prometheus metrics at this port of 127.0.0.1; 0 takes a free one."),
    ] = None,
    trainer_heartbeat: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="A trainer that says nothing for so long is asked, then taken for hung; 10."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the server in the foreground, until Ctrl-C.

    Example: guessbook server --port 7430
    """
    tls = {"--tls-cert": tls_cert, "--tls-key": tls_key, "--tls-client-ca": tls_client_ca}
    listening = ["--host", host, *(word for option, file in tls.items() if file for word in (option, str(file)))]
    command = [*server_command(Home.default(), port, base_model), *listening]
    for folder in checkpoint_dir or ():
        command += ["--checkpoint-dir", str(folder)]
    if metrics_port is not None:
        command += ["--metrics-port", str(metrics_port)]
    if trainer_heartbeat is not None:
        command += ["--trainer-heartbeat", str(trainer_heartbeat)]
    become("server", command, as_json)

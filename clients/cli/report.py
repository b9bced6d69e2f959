"""`guessbook report RUN`."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients.cli.options import AsJson, AtOption, RunArgument
from guessbook.clients.cli.output import out, print_json, waiting
from guessbook.clients.client import Guessbook
from guessbook.clients.report.material import gather
from guessbook.clients.report.page import page


def report(
    run: RunArgument = "latest",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to write it; else guessbook-report-RUN.html here."),
    ] = None,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's report: one HTML file with curves, insights and the hardest examples' stories, to read, print and pass on.

    Each run that ends has one among its artifacts already. This makes it anew, as of now or of any point in the past.

    Example: guessbook report latest -o report.html
    """
    with Guessbook() as book, waiting("reading the run …"):
        material = gather(book, run, at)
    file = output or Path(f"guessbook-report-{material.run.id}.html")
    content = page(material).encode()
    file.write_bytes(content)
    if as_json:
        position = material.status.position
        print_json({"file": str(file.absolute()), "run": material.run.id, "position": position, "bytes": len(content)})
    else:
        out.print(str(file.absolute()), markup=False, soft_wrap=True)

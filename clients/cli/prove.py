"""`guessbook prove`: writes a proof that docs/verify_proof.py checks without Guessbook. Knows no form of it, and not how proofs are made."""

from pathlib import Path
from typing import Annotated

import typer

from guessbook.clients import proof_file
from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import out, print_json
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid

PositionArgument = Annotated[int | None, typer.Argument(metavar="[POSITION]", min=1, help="The event's position.")]
ConsistencyOption = Annotated[
    Path | None,
    typer.Option(metavar="OLD_CHECKPOINT", help="Prove that the log has only grown since this signed checkpoint."),
]


def prove(
    position: PositionArgument = None,
    consistency: ConsistencyOption = None,
    out_file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Else standard output.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a proof that an event is in the signed log, for somebody who does not trust this machine.

    Example: guessbook prove 42 --out proof.json
    """
    if (position is None) == (consistency is None):
        raise Invalid("a proof is of one position, or of consistency", "guessbook prove 42, or --consistency FILE.")
    with Guessbook() as book:
        if consistency:
            if not consistency.is_file():
                raise Invalid(f"there is no file {consistency}", "Pass a signed checkpoint.")
            answer = book.prove_consistency(consistency.read_text(errors="replace"))
        else:
            answer = book.prove(position or 0)
    if out_file:
        out_file.write_text(proof_file.text(answer))
    if as_json or not out_file:
        print_json(proof_file.document(answer))
    else:
        out.print(f"{out_file} is written. Check it with: python verify_proof.py {out_file}", markup=False)

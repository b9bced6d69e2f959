"""`guessbook prove`: writes a proof that docs/verify_proof.py checks without Guessbook. Knows the file's form, not how proofs are made."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from guessbook.clients.cli.options import AsJson
from guessbook.clients.cli.output import as_document, out, print_json
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import Invalid
from guessbook.proto.events_pb2 import Event
from guessbook.proto.log_pb2 import ProveResponse

FORMAT = "guessbook proof 1"

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
            proof = document(book.prove_consistency(consistency.read_text(errors="replace")))
        else:
            proof = document(book.prove(position or 0))
    if out_file:
        out_file.write_text(json.dumps(proof, ensure_ascii=False, indent=1) + "\n")
    if as_json or not out_file:
        print_json(proof)
    else:
        out.print(f"{out_file} is written. Check it with: python verify_proof.py {out_file}", markup=False)


def document(proof: ProveResponse) -> dict[str, Any]:
    """The proof as the file holds it. `event` is there to be read; what is proven is `leaf`, the event's bytes in hex."""
    path = [one.hex() for one in proof.path]
    signed = {"path": path, "checkpoint": proof.checkpoint, "public_keys": list(proof.public_keys)}
    if proof.old_checkpoint:
        return {"format": FORMAT, "kind": "consistency", "old_checkpoint": proof.old_checkpoint, **signed}
    event = as_document(Event.FromString(proof.leaf))
    leaf = {"leaf": proof.leaf.hex(), "leaf_index": proof.leaf_index}
    return {"format": FORMAT, "kind": "inclusion", "event": event, **leaf, **signed}

"""The file that a proof is handed out as; docs/verify_proof.py checks it. Knows the file's form, not how proofs are made."""

import json
from typing import Any

from guessbook.clients.document import as_document
from guessbook.proto.events_pb2 import Event
from guessbook.proto.log_pb2 import ProveResponse

FORMAT = "guessbook proof 1"


def document(proof: ProveResponse) -> dict[str, Any]:
    """The proof as the file holds it. `event` is there to be read; what is proven is `leaf`, the event's bytes in hex."""
    path = [one.hex() for one in proof.path]
    signed = {"path": path, "checkpoint": proof.checkpoint, "public_keys": list(proof.public_keys)}
    if proof.old_checkpoint:
        return {"format": FORMAT, "kind": "consistency", "old_checkpoint": proof.old_checkpoint, **signed}
    event = as_document(Event.FromString(proof.leaf))
    leaf = {"leaf": proof.leaf.hex(), "leaf_index": proof.leaf_index}
    return {"format": FORMAT, "kind": "inclusion", "event": event, **leaf, **signed}


def text(proof: ProveResponse) -> str:
    """The file's content."""
    return json.dumps(document(proof), ensure_ascii=False, indent=1) + "\n"

"""Checks a proof file of `guessbook prove`, with nothing of Guessbook: Python, and `cryptography` for the signature.

    python verify_proof.py PROOF.json [KEY.pub]

With KEY.pub only that public key counts. Without it the keys in the proof do, and anybody can make those: compare the key that is
printed with one you got another way. Proven of an event is `leaf`, its bytes (Event of events.proto); the readable `event` is compared
with them in position, time, actor and subject. Exit code 0: proven. 1: not. 3: all but the signature.

Sources: RFC 6962 section 2.1 (the tree), RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verifying), C2SP signed-note and tlog-checkpoint.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None


def must(condition: bool, why: str) -> None:
    if not condition:
        sys.exit(f"NOT PROVEN: {why}")


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def signed_checkpoint(note: str, keys: list[str]) -> tuple[str, int, bytes]:
    """Log, size and root of a checkpoint, if one of the keys has signed it. A key is `origin+name+base64 of 0x01 and the key`."""
    text, _, line = note.partition("\n\n— ")
    origin, size, root, chain, time = text.split("\n")
    signer, _, encoded = line.strip().partition(" ")
    signature = base64.b64decode(encoded)
    named = [key for key in keys if key.startswith(f"{origin}+{signature[:4].hex()}+")]
    must(signer == origin and bool(named), "no key that counts has signed the checkpoint")
    key = base64.b64decode(named[0].split("+", 2)[2])
    must(sha256(f"{origin}\n".encode(), key)[:4] == signature[:4], "the key has a false name")
    if Ed25519PublicKey:
        try:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], f"{text}\n".encode())
        except InvalidSignature:
            must(False, "the checkpoint's signature is wrong")
    print(f"checkpoint  {origin}, {size} events, root {base64.b64decode(root).hex()}, {chain}, {time}")
    print(f"key         {named[0]}" if Ed25519PublicKey else "key         NOT CHECKED: `cryptography` is not installed")
    return origin, int(size), base64.b64decode(root)


def climb(first: int, last: int, node: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """The roots that a path leads to from a node: of the tree that ends with `first`, and of the one that ends with `last`."""
    old = new = node
    for sibling in path:
        must(last > 0, "the path is too long")
        if first & 1 or first == last:
            old, new = sha256(b"\x01", sibling, old), sha256(b"\x01", sibling, new)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new = sha256(b"\x01", new, sibling)
        first, last = first >> 1, last >> 1
    must(last == 0, "the path is too short")
    return old, new


def consistent(old_size: int, old_root: bytes, size: int, root: bytes, path: list[bytes]) -> bool:
    if old_size == size:
        return old_root == root and not path
    first, last = old_size - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    start = old_root if first == 0 else path.pop(0)  # 0: the old tree is a complete subtree of the new one
    return 0 < old_size < size and climb(first, last, start, path) == (old_root, root)


def fields(data: bytes) -> dict[int, int | bytes]:
    """The outermost fields of a protobuf message; those of an event are numbers (wire type 0) or bytes with a length (2)."""
    found: dict[int, int | bytes] = {}
    rest = iter(data)

    def number(byte: int) -> int:
        return byte if byte < 128 else (byte & 127) | number(next(rest)) << 7

    for byte in rest:
        tag, value = number(byte), number(next(rest))
        found[tag >> 3] = bytes(next(rest) for _ in range(value)) if tag & 7 == 2 else value
    return found


def main(proof_file: str, key_file: str = "") -> int:
    proof = json.loads(Path(proof_file).read_text("utf-8"))
    keys = Path(key_file).read_text("utf-8").splitlines() if key_file else proof["public_keys"]
    origin, size, root = signed_checkpoint(proof["checkpoint"], keys)
    path = [bytes.fromhex(node) for node in proof["path"]]
    if proof["kind"] == "consistency":
        old_origin, old_size, old_root = signed_checkpoint(proof["old_checkpoint"], keys)
        must(old_origin == origin, "the two checkpoints are of two logs")
        must(consistent(old_size, old_root, size, root, path), "the log was written anew")
        print(f"PROVEN: the first {old_size} events are the same in both; the log has only grown, to {size}")
    else:
        leaf, index = bytes.fromhex(proof["leaf"]), proof["leaf_index"]
        must(0 <= index < size, "there is no such leaf")
        must(climb(index, size - 1, sha256(b"\x00", leaf), path)[1] == root, "the event is not in the signed log")
        said, event = fields(leaf), proof["event"]
        told = [event["position"], event["recorded_at_us"], event["actor"].encode(), event["subject"].encode()]
        must([index + 1, *told] == [said[field] for field in (1, 1, 2, 3, 4)], "`event` is not what `leaf` says")
        print(f"PROVEN: event {said[1]} about {event['subject']} by {event['actor']}, {said[2]} µs after 1970 began")
    return 0 if Ed25519PublicKey else 3


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (ValueError, KeyError, TypeError, OSError) as unreadable:
        sys.exit(f"NOT PROVEN: the proof can't be read: {unreadable!r}")

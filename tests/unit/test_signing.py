"""Keys, signed checkpoints and their folders. On real files; of the log only a checkpoint's numbers."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guessbook.store import signed_checkpoints, signing
from guessbook.store.signing import BadCheckpoint, BadKey, Checkpoint, SigningKey

LOG = "0f0e0d0c-0000-4000-8000-000000000001"
CHECKPOINT = Checkpoint(LOG, 1500, b"\x11" * 32, b"\x22" * 32, "2026-11-22T19:00:00Z")


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey(tmp_path / "keys" / "signing.key")


def test_a_checkpoint_says_what_was_signed(key: SigningKey) -> None:
    assert signing.check(key.sign(CHECKPOINT), [key.public(LOG)]) == CHECKPOINT


def test_it_has_the_form_of_a_signed_note(key: SigningKey) -> None:
    text, signature = key.sign(CHECKPOINT).split("\n\n— ")
    assert text.split("\n") == [
        f"guessbook/{LOG}",
        "1500",
        base64.b64encode(CHECKPOINT.root).decode(),
        f"chain {'22' * 32}",
        "time 2026-11-22T19:00:00Z",
    ]
    name, encoded = signature.rstrip("\n").split(" ")
    public_name, key_name, public = key.public(LOG).split("+", 2)
    assert name == public_name == f"guessbook/{LOG}"
    signed = base64.b64decode(encoded)
    assert signed[:4].hex() == key_name
    raw = base64.b64decode(public)
    assert raw[0] == 1
    Ed25519PublicKey.from_public_bytes(raw[1:]).verify(signed[4:], f"{text}\n".encode())


def test_a_changed_checkpoint_is_refused(key: SigningKey) -> None:
    note = key.sign(CHECKPOINT)
    for changed in (note.replace("1500", "1400"), note.replace("22" * 32, "23" * 32), note.replace("19:00", "18:00")):
        with pytest.raises(BadCheckpoint, match="changed after it was signed"):
            signing.check(changed, [key.public(LOG)])


@pytest.mark.parametrize("text", ["", "anything", "guessbook/x\n1\n", "\x00" * 300])
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadCheckpoint, match="no signed checkpoint"):
        signing.parse(text)


def test_a_key_that_is_not_known_proves_nothing(key: SigningKey, tmp_path: Path) -> None:
    other = SigningKey(tmp_path / "other.key")
    with pytest.raises(BadCheckpoint, match="is not there"):
        signing.check(key.sign(CHECKPOINT), [other.public(LOG)])


def test_the_key_is_made_once_and_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "signing.key"
    made = SigningKey(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert SigningKey(file).public(LOG) == made.public(LOG)
    assert [one.name for one in file.parent.iterdir()] == ["signing.key"]


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "signing.key"
    SigningKey(file)
    file.chmod(0o644)
    with pytest.raises(BadKey, match="chmod 600"):
        SigningKey(file)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "signing.key"
    file.write_text("no key")
    file.chmod(0o600)
    with pytest.raises(BadKey, match="no private key"):
        SigningKey(file)


def test_a_folder_keeps_what_was_signed_first(key: SigningKey, tmp_path: Path) -> None:
    note, public = key.sign(CHECKPOINT), key.public(LOG)
    place = signed_checkpoints.write(tmp_path, note, public)
    later = Checkpoint(LOG, 1500, b"\x33" * 32, b"\x22" * 32, "2026-11-23T19:00:00Z")
    assert signed_checkpoints.write(tmp_path, key.sign(later), public) == place
    stored = signed_checkpoints.read(place)
    assert (stored.checkpoint, stored.problem, stored.note) == (CHECKPOINT, "", note)
    assert signed_checkpoints.public_keys(tmp_path) == [public]
    assert stat.S_IMODE(place.stat().st_mode) == 0o444


def test_the_newest_checkpoint_of_a_log_is_the_last(key: SigningKey, tmp_path: Path) -> None:
    other_log = LOG.replace("1", "2")
    for log_id, size in ((LOG, 9), (other_log, 5000), (LOG, 1500), (LOG, 200)):
        note = key.sign(Checkpoint(log_id, size, b"\x11" * 32, b"\x22" * 32, "2026-11-22T19:00:00Z"))
        signed_checkpoints.write(tmp_path, note, key.public(log_id))
    sizes = [signing.parse(file.read_text()).size for file in signed_checkpoints.files(tmp_path, LOG)]
    assert sizes == [9, 200, 1500]
    assert len(signed_checkpoints.files(tmp_path)) == 4
    assert signed_checkpoints.files(tmp_path / "not-there") == []

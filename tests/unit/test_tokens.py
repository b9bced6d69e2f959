"""Tokens: how they are kept, recognised and revoked, and which may be made."""

from pathlib import Path

import pytest

from guessbook.proto.events_pb2 import ROLE_ADMIN, ROLE_TRAINER, ROLE_UNSPECIFIED, ROLE_VIEWER
from guessbook.server.decide import tokens as rules
from guessbook.server.decide.rejection import Invalid, Missing, Refused, Rejection
from guessbook.server.tokens import ROLES, BadTokens, Tokens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "tokens"


@pytest.fixture
def tokens(folder: Path) -> Tokens:
    tokens = Tokens(folder)
    tokens.make_missing(1)
    return tokens


def test_a_first_start_makes_one_token_a_role_for_its_owners_eyes(tokens: Tokens, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.name for file in folder.iterdir()} == {"hashes.json", *ROLES}
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    for role in ROLES:
        found = tokens.identify((folder / role).read_text().strip())
        assert found
        assert (found.name, found.role) == (role, role)
    assert tokens.make_missing(2) == []


def test_only_hashes_are_kept(tokens: Tokens, folder: Path) -> None:
    secret = tokens.create("anna", "viewer", 2)
    assert len(secret) >= 43  # 256 bits
    assert all(secret not in file.read_text() for file in folder.iterdir())
    found = Tokens(folder).identify(secret)
    assert found
    assert found.name == "anna"


@pytest.mark.parametrize("wrong", ["", "x", "a" * 43, "\0", "ü"])
def test_a_wrong_token_is_nobodys(tokens: Tokens, wrong: str) -> None:
    assert tokens.identify(wrong) is None


def test_a_revoked_token_is_nobodys_for_ever(tokens: Tokens, folder: Path) -> None:
    secret = tokens.create("anna", "viewer", 2)
    tokens.revoke("anna", 3)
    assert tokens.identify(secret) is None
    assert Tokens(folder).identify(secret) is None
    renewed = tokens.create("anna", "viewer", 4)
    assert tokens.identify(secret) is None
    assert tokens.identify(renewed) == tokens["anna"]


def test_a_renewed_token_of_a_role_is_found_by_the_programs_of_this_machine(tokens: Tokens, folder: Path) -> None:
    tokens.revoke("trainer", 2)
    renewed = tokens.create("trainer", "trainer", 3)
    assert (folder / "trainer").read_text().strip() == renewed


def test_a_file_that_is_no_list_of_tokens_lets_nobody_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    for text in ("", "{}x", '[{"name": 1}]'):
        (folder / "hashes.json").write_text(text)
        with pytest.raises(BadTokens, match="move it away"):
            Tokens(folder)


@pytest.mark.parametrize(
    ("name", "role", "kind"),
    [
        ("", ROLE_VIEWER, Invalid),
        ("a b", ROLE_VIEWER, Invalid),
        ("a/b", ROLE_VIEWER, Invalid),
        ("anna\n", ROLE_VIEWER, Invalid),
        ("a" * 65, ROLE_VIEWER, Invalid),
        ("server", ROLE_VIEWER, Invalid),
        ("anna", ROLE_UNSPECIFIED, Invalid),
        ("trainer", ROLE_ADMIN, Invalid),
        ("trainer", ROLE_TRAINER, Refused),
    ],
)
def test_what_can_not_be_a_token(tokens: Tokens, name: str, role: int, kind: type[Rejection]) -> None:
    with pytest.raises(kind) as caught:
        rules.create(tokens, name, role)  # type: ignore[arg-type]
    assert caught.value.hint


def test_the_last_admin_stays(tokens: Tokens) -> None:
    with pytest.raises(Refused, match="last admin"):
        rules.revoke(tokens, "admin")
    tokens.create("ada", "admin", 2)
    assert rules.revoke(tokens, "admin").token_revoked.name == "admin"
    tokens.revoke("admin", 3)
    with pytest.raises(Missing):
        rules.revoke(tokens, "admin")
    with pytest.raises(Refused):
        rules.revoke(tokens, "ada")


def test_what_is_recorded_names_no_secret(tokens: Tokens) -> None:
    event = rules.create(tokens, "anna", ROLE_VIEWER)
    assert (event.subject, event.token_created.name, event.token_created.role) == ("token/anna", "anna", ROLE_VIEWER)
    assert [field.name for field in event.token_created.DESCRIPTOR.fields] == ["name", "role"]

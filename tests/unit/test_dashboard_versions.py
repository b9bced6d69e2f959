"""The pure parts of the page Versions: where the tree's nodes stand, which backups hold a version, what the address says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guessbook.clients.dashboard.versions import details, download, kept, tree
from guessbook.clients.dashboard.versions.choice import START, Choice
from guessbook.clients.dashboard.versions.tree import Place
from guessbook.proto.events_pb2 import File
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import Backup


def version(number: int, parent: str = "", **more: object) -> Version:
    return Version(name=f"v{number:03d}_x", number=number, parent=parent, base_model="tiny", **more)  # type: ignore[arg-type]


def test_the_first_child_goes_on_in_its_parents_lane_and_others_open_new_ones() -> None:
    versions = [version(1), version(2, "v001_x"), version(3, "v001_x"), version(4, "v002_x"), version(5, "v002_x")]
    assert tree.places(versions) == [
        Place("base:tiny", "", 0, 0),
        Place("v001_x", "base:tiny", 1, 0),
        Place("v002_x", "v001_x", 2, 0),
        Place("v004_x", "v002_x", 3, 0),
        Place("v005_x", "v002_x", 3, 1),
        Place("v003_x", "v001_x", 2, 2),
    ]


@given(st.lists(st.integers(0, 40), max_size=40))
def test_every_version_has_a_place_of_its_own_whatever_is_said_of_its_parent(parents: list[int]) -> None:
    """0 is no parent; a number that is not older, or of nobody, is not believed."""
    versions = [version(number, f"v{parent:03d}_x" if parent else "") for number, parent in enumerate(parents, start=1)]
    found = tree.places(versions)
    assert sorted(place.id for place in found if not place.id.startswith("base:")) == [one.name for one in versions]
    assert len({(place.depth, place.lane) for place in found}) == len(found)
    depths = {place.id: place.depth for place in found}
    assert all(place.depth == depths[place.parent] + 1 for place in found if place.parent)


def test_a_long_chain_needs_no_recursion() -> None:
    chain = [version(number, f"v{number - 1:03d}_x" if number > 1 else "") for number in range(1, 3001)]
    assert {place.lane for place in tree.places(chain)} == {0}


def test_a_backup_holds_a_version_if_it_came_after_it_is_there_and_lacks_none_of_its_files() -> None:
    wanted = version(1, position=50, files=[File(path="a", sha256="aa")])
    backups = [
        Backup(id="after", head=90),
        Backup(id="at", head=50, missing=["bb"]),
        Backup(id="before", head=49),
        Backup(id="pruned", head=90, pruned_at_us=1),
        Backup(id="lacking", head=90, missing=["aa"]),
    ]
    assert [backup.id for backup in kept.holding(wanted, backups)] == ["after", "at"]
    assert [backup.id for backup in kept.holding(wanted, backups, purged_at=90)] == ["at"]


def test_the_copies_of_a_version_are_counted_with_what_they_are_worth() -> None:
    copies = [
        Backup(id="b2", place="local", sound=True, verified_at_us=2),
        Backup(id="b2", place="nas", verified_at_us=2, problem="a file differs"),
        Backup(id="b1", place="local"),
    ]
    assert kept.headline(copies) == "In 2 backups at local, nas; 1 of 3 copies were whole when read back last."
    assert kept.verdict(copies[1]) == "not whole: a file differs"
    assert kept.verdict(copies[2]) == "never read back"


def test_what_the_address_leaves_out_is_the_latest_and_its_parent() -> None:
    versions = [version(3, "v001_x"), version(2, "v001_x", latest=True), version(1)]
    nothing = Choice.parse("")
    assert nothing.of(versions) == versions[1]
    assert nothing.other_of(versions[1], versions) == "v001_x"
    assert nothing.other_of(versions[2], versions) == START
    assert nothing.of([]) is None
    given = Choice.parse("?version=v3&with=2&change=fixed&q=a+b&page=4&at=9")
    assert given == Choice("v3", "2", "fixed", "a b", 4, 9)
    assert given.of(versions) == versions[0]
    assert given.other_of(versions[0], versions) == "v002_x"
    assert Choice.parse("?change=none&page=-1&at=x") == Choice()


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "", ".", "C:/x", "..\\x", "a\0b"])
def test_no_archive_is_made_of_files_that_would_be_unpacked_elsewhere(path: str) -> None:
    inside = [File(path="adapter_model.safetensors"), File(path="checkpoint/..weights.bin")]
    assert download.refusal(version(1, files=inside)) is None
    refused = download.refusal(version(1, files=[*inside, File(path=path)]))
    assert refused
    assert refused.status_code == 409


def test_of_a_base_model_s_path_the_end_is_shown() -> None:
    one = version(1)
    one.base_model = "/home/me/models/tiny-qwen/"
    told = str(details.section(one, [], ""))
    assert "Span(children='tiny-qwen', title='/home/me/models/tiny-qwen/')" in told

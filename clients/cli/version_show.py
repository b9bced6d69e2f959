"""`guessbook version show`."""

from rich.console import Group, RenderableType
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.clients.cli.options import AsJson, AtOption, VersionArgument
from guessbook.clients.cli.output import show as show_answer
from guessbook.clients.client import Guessbook
from guessbook.clients.errors import NotFound
from guessbook.clients.visible import visible
from guessbook.proto import events_pb2, history_pb2


def named(book: Guessbook, name: str, at: history_pb2.At | None = None) -> history_pb2.Version:
    """A version by its name, its number or "latest", in the trash or not. Raises NotFound."""
    listed = book.versions(at, deleted=True).versions
    number = name.removeprefix("v").lstrip("0")
    for version in listed:
        if name == version.name or (name == "latest" and version.latest) or number == str(version.number):
            return version
    raise NotFound(f"there is no version {name!r}", "`guessbook versions` lists them.")


def show(version: VersionArgument = "latest", at: AtOption = None, as_json: AsJson = False) -> None:
    """Show all that is known of a version.

    Example: guessbook version show v001
    """
    with Guessbook() as book:
        found = named(book, version, at)
    show_answer(found, view(found), as_json)


def view(version: history_pb2.Version) -> RenderableType:
    head = Text(version.name, style="bold green")
    if version.latest:
        head.append("  latest", style="green")
    if version.deleted_at_us:
        gone = "its files are gone" if version.purged else f"kept until {wording.moment(version.purge_after_us)}"
        head.append(f"  in the trash since {wording.moment(version.deleted_at_us)}, {gone}", style="yellow")
    measured = version.baseline_accuracy >= 0
    change = f"{wording.percent(version.baseline_accuracy)} → {wording.percent(version.final_accuracy)}"
    rows = [
        ("created", wording.moment(version.created_at_us)),
        ("parent", version.parent or "–"),
        ("base model", version.base_model),
        ("its SHA-256", version.base_model_sha256 or "–"),
        ("dataset", f"{wording.one_line(version.dataset_name)} (SHA-256 {version.dataset})"),
        ("run", f"{version.run} (`guessbook examples {version.run}` shows how it was learned)"),
        ("steps", f"{version.steps}, final loss {wording.loss(version.final_loss)}"),
        ("right", change if measured else "not measured"),
        ("notes", visible(version.notes) or "–"),
    ]
    if version.HasField("consolidation"):
        rows.append(("merged", _proof(version.consolidation)))
    lines = [Text(f"  {name:<12}") + Text(value) for name, value in rows]
    files = [Text(f"  {file.sha256[:16]}…  {wording.size(file.bytes):>10}  {file.path}") for file in version.files]
    return Group(head, *lines, Text("  files"), *files)


def _proof(proof: events_pb2.Consolidation) -> str:
    return (
        f"from {proof.version}, in {proof.precision}; on {proof.examples} examples the logits differ by at most "
        f"{proof.max_logit_difference:.2g} ({proof.tolerance:.2g} is allowed), {proof.same_guesses} guesses are the same"
    )

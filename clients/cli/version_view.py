"""The tree of versions on the terminal. Pure: messages in, renderables out."""

from collections import defaultdict
from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from guessbook.clients.cli import wording
from guessbook.projections.versions import consolidations
from guessbook.proto.history_pb2 import ListVersionsResponse, Version


def tree(answer: ListVersionsResponse) -> RenderableType:
    """Each version below the one it came from, the oldest first."""
    if not answer.versions:
        return Text("No version yet: the first completed job makes one.")
    children: dict[str, list[Version]] = defaultdict(list)
    names = {version.name for version in answer.versions}
    for version in reversed(answer.versions):
        children[version.parent if version.parent in names else ""].append(version)
    merged = consolidations(reversed(answer.versions))
    root = Tree(Text("versions, from the base models on", style="dim"), guide_style="dim")

    def grow(branch: Tree, versions: Sequence[Version]) -> None:
        for version in versions:
            grow(branch.add(_line(version, merged.get(version.name, ""))), children[version.name])

    grow(root, children[""])
    return root


def _line(version: Version, merged: str) -> Text:
    line = Text(version.name, style="green")
    if version.latest:
        line.append("  ← latest", style="bold green")
    if version.deleted_at_us:
        line.append("  in the trash", style="yellow")
    facts = [f"{version.steps} steps", f"loss {wording.loss(version.final_loss)}"]
    if version.baseline_accuracy >= 0:
        before, after = wording.percent(version.baseline_accuracy), wording.percent(version.final_accuracy)
        facts.append(f"right {before} → {after}")
    if version.HasField("consolidation"):
        facts.append("merged into the base")
    if merged:
        facts.append(f"consolidated into {merged.partition('_')[0]}")
    line.append(f"\n  {' · '.join(facts)}", style="default")
    if version.notes:
        line.append(f"\n  {wording.shortened(wording.one_line(version.notes), 200)}", style="dim")
    return line

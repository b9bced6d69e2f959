"""Insights as a person reads them. Pure: messages in, renderables out."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from guessbook.clients.cli import wording
from guessbook.proto import history_pb2

SHOWN = 5  # examples of one insight
LONGEST_ID = 40


def listed(answer: history_pb2.ListInsightsResponse) -> RenderableType:
    """Each insight with its evidence, what to do and its clearest examples."""
    if not answer.insights:
        return Text("Nothing stands out. What examples do is judged from three snapshots on.")
    return Group(*(part for insight in answer.insights for part in _told(insight)))


def _told(insight: history_pb2.Insight) -> list[RenderableType]:
    rows = list(zip(insight.example_index, insight.example_id, insight.detail, strict=True))[:SHOWN]
    examples = [
        Text(f"#{index} {wording.shortened(wording.one_line(name), LONGEST_ID)}: ", style="bright_black")
        + Text(wording.one_line(detail))
        for index, name, detail in rows
    ]
    if insight.count > len(rows):
        examples.append(Text(f"and {insight.count - len(rows):,} more (--json names them)", style="bright_black"))
    return [
        Text(wording.one_line(insight.sentence), style="bold"),
        Padding(Text(wording.one_line(insight.evidence)), (0, 0, 0, 2)),
        Padding(Text("→ ", style="green") + Text(insight.advice), (0, 0, 0, 2)),
        *(Padding(example, (0, 0, 0, 4)) for example in examples),
        Text(""),
    ]

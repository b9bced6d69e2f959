"""Numbers, states and foreign text as a person reads them on a terminal. Pure; knows no verb and no server."""

from collections.abc import Iterable
from datetime import datetime

from rich.filesize import decimal
from rich.text import Text

from guessbook.clients.visible import visible
from guessbook.projections import names
from guessbook.proto import events_pb2, history_pb2

EXAMPLE_STATES: dict[history_pb2.ExampleState.ValueType, tuple[str, str]] = {
    history_pb2.EXAMPLE_STATE_LEARNED: ("learned", "green"),
    history_pb2.EXAMPLE_STATE_IMPROVING: ("improving", "cyan"),
    history_pb2.EXAMPLE_STATE_STRUGGLING: ("struggling", "yellow"),
    history_pb2.EXAMPLE_STATE_NOT_LEARNED: ("not learned", "bright_black"),
    history_pb2.EXAMPLE_STATE_REGRESSED: ("regressed", "red"),
    history_pb2.EXAMPLE_STATE_UNKNOWN: ("unknown", "bright_black"),
    history_pb2.EXAMPLE_STATE_UNSPECIFIED: ("not seen", "bright_black"),
}

JOB_STYLES: dict[history_pb2.JobState.ValueType, str] = {
    history_pb2.JOB_STATE_ACTIVE: "bold green",
    history_pb2.JOB_STATE_QUEUED: "cyan",
    history_pb2.JOB_STATE_PAUSED: "yellow",
    history_pb2.JOB_STATE_INTERRUPTED: "yellow",
    history_pb2.JOB_STATE_COMPLETED: "green",
    history_pb2.JOB_STATE_FAILED: "red",
    history_pb2.JOB_STATE_CANCELLED: "bright_black",
}


def example_state(state: history_pb2.ExampleState.ValueType) -> Text:
    word, style = EXAMPLE_STATES[state]
    return Text(word, style=style)


def state_counts(counts: Iterable[history_pb2.StateCount]) -> Text:
    """ "learned 30 · improving 4 · regressed 2", in a fixed order, without the states that nothing is in."""
    by_state = {count.state: count.count for count in counts}
    parts = [
        Text(f"{word} {by_state[state]}", style=style)
        for state, (word, style) in EXAMPLE_STATES.items()
        if by_state.get(state)
    ]
    return Text(" · ").join(parts)


def job_state(job: history_pb2.Job) -> Text:
    word = names.job_state(job.state)
    text = Text(word, style=JOB_STYLES.get(job.state, ""))
    if job.held:
        text.append(" (held)")
    if job.pending:
        text.append(" (makes room)" if job.preempted_by else f" ({job.pending} asked)")
    if job.skip_pending:
        text.append(" (skip asked)")
    return text


def priority(level: events_pb2.Priority.ValueType) -> str:
    return names.priority(level)


def mark(correct: bool) -> Text:
    return Text("✓", style="green") if correct else Text("✗", style="red")


def one_line(text: str) -> str:
    """Foreign text in one line, in which nothing steers the terminal."""
    return visible(" ".join(text.split()))


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def loss(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def duration(seconds: float) -> str:
    """ "45 s", "3 min 5 s", "2 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(microseconds: int) -> str:
    """A time in the reader's time zone, to the second; a dash for none."""
    return f"{datetime.fromtimestamp(microseconds / 1e6):%Y-%m-%d %H:%M:%S}" if microseconds else "–"


def soon(microseconds: int, now_us: int) -> str:
    """A time near now in the reader's time zone, to the minute: "14:05", on another day "11-18 03:00"; a dash for none."""
    if not microseconds:
        return "–"
    there, now = datetime.fromtimestamp(microseconds / 1e6), datetime.fromtimestamp(now_us / 1e6)
    return f"{there:%H:%M}" if there.date() == now.date() else f"{there:%m-%d %H:%M}"


def size(count: int) -> str:
    return decimal(count)

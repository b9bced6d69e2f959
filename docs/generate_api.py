"""Writes the second half of docs/api.md: every method out of the client, every RPC out of proto/*.proto, every verb out of its help.

    python docs/generate_api.py          (make docs)

What stands above the line MARK is written by hand and left alone. Knows the schema's source, the table of rights and the verbs; starts nothing. A test
fails when the page isn't what this writes.
"""

import inspect
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import typer
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from typer.core import TyperCommand

from guessbook.clients.cli.main import command, verbs_of
from guessbook.clients.client import Guessbook
from guessbook.proto.events_pb2 import Role
from guessbook.server.rights import RIGHTS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
MARK = "<!-- What follows is written by docs/generate_api.py (make docs). -->\n"
SERVICES = ("log", "control", "history", "safety", "artifacts")
EVERYWHERE = {"home", "address", "as_json"}  # options of every verb, told once
MESSAGE, ENUM, SERVICE, METHOD = 4, 5, 6, 2  # field numbers of descriptor.proto, of which paths into a file are made


class Source:
    """One .proto file: its descriptor, and the text and comment of each definition in it."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self.lines = (ROOT / "proto" / Path(file.name).name).read_text().splitlines()
        self._places = {tuple(place.path): place for place in file.source_code_info.location}

    def text(self, *path: int) -> str:
        """A definition as it is written, with the comments in it and before it."""
        place = self._places[path]
        first, last = place.span[0], place.span[2] if len(place.span) == 4 else place.span[0]
        comment = [f"//{line}" for line in place.leading_comments.splitlines()]
        return "\n".join([*comment, dedent("\n".join(self.lines[first : last + 1]))])

    def definitions(self) -> dict[str, str]:
        """Full name → text, of every message and enum."""
        package = self.file.package
        messages = {f".{package}.{one.name}": self.text(MESSAGE, n) for n, one in enumerate(self.file.message_type)}
        enums = {f".{package}.{one.name}": self.text(ENUM, n) for n, one in enumerate(self.file.enum_type)}
        return messages | enums

    def comment(self, *path: int) -> str:
        return " ".join(self._places[path].leading_comments.split())


def sources() -> dict[str, Source]:
    """By the file's name without its ending, in the order in which files import each other."""
    names = [f"guessbook/proto/{path.name}" for path in sorted((ROOT / "proto").glob("*.proto")) if path.stem != "raw"]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "descriptors"
        tool = [sys.executable, "-m", "grpc_tools.protoc", f"-Iguessbook/proto={ROOT / 'proto'}"]
        subprocess.run([*tool, "--include_source_info", f"--descriptor_set_out={made}", *names], check=True)
        files = FileDescriptorSet.FromString(made.read_bytes()).file
    return {Path(file.name).stem: Source(file) for file in files}


def mentioned(found: dict[str, Source]) -> dict[str, list[str]]:
    """Full name of a message → the messages and enums that its fields hold."""

    def fields(message: DescriptorProto) -> Iterator[str]:
        yield from (field.type_name for field in message.field if field.type_name)
        for nested in message.nested_type:
            yield from fields(nested)

    return {
        f".{source.file.package}.{message.name}": list(fields(message))
        for source in found.values()
        for message in source.file.message_type
    }


def rpcs() -> str:
    """Each method with who may call it, its request and its answer; behind them what these are made of."""
    found = sources()
    texts = {full: text for source in found.values() for full, text in source.definitions().items()}
    shown: dict[str, str] = {}  # of requests and answers: the method under which each stands
    parts = ["## Every RPC\n"]
    for name in SERVICES:
        source = found[name]
        service = source.file.service[0]
        parts.append(f"### {service.name}\n")
        for place, method in enumerate(service.method):
            full = f"/{source.file.package}.{service.name}/{method.name}"
            comment = source.comment(SERVICE, 0, METHOD, place)
            parts.append(rpc(f"{service.name}.{method.name}", method, comment, roles(full), texts, shown))
    parts.append("### What requests and answers are made of\n")
    inside = reached(list(shown), mentioned(found)) - shown.keys()
    for name, source in found.items():
        if here := [text for full, text in source.definitions().items() if full in inside]:
            parts.append(f"#### {name}.proto\n\n{proto_block(here)}")
    return "\n".join(parts)


def rpc(
    title: str, method: MethodDescriptorProto, comment: str, who: str, texts: dict[str, str], shown: dict[str, str]
) -> str:
    asks = f"{'stream ' * method.client_streaming}{short(method.input_type)}"
    answers = f"{'stream ' * method.server_streaming}{short(method.output_type)}"
    both = dict.fromkeys((method.input_type, method.output_type))
    new = [one for one in both if one not in shown]
    elsewhere = "".join(f" `{short(one)}`: see [{shown[one]}](#{anchor(shown[one])})." for one in both if one in shown)
    shown.update(dict.fromkeys(new, title))
    said = f"{comment}\n\n" if comment else ""
    block = proto_block([texts[one] for one in new]) if new else ""
    return f"#### {title}\n\n`{asks}` → `{answers}`. For {who}.{elsewhere}\n\n{said}{block}"


def anchor(title: str) -> str:
    """As GitHub makes it of a heading."""
    return title.lower().replace(".", "").replace(" ", "-")


def reached(names: list[str], uses: dict[str, list[str]]) -> set[str]:
    """What these messages hold, directly or not."""
    seen: set[str] = set()
    while names:
        for name in uses.get(names.pop(), []):
            if name not in seen:
                seen.add(name)
                names.append(name)
    return seen


def roles(method: str) -> str:
    may = RIGHTS.get(method)
    if not may:
        return "nobody"
    if len(may) == len(Role.values()) - 1:  # all but the one for "not said"
        return "every role"
    return ", ".join(Role.Name(role).removeprefix("ROLE_").lower() for role in sorted(may))


def short(type_name: str) -> str:
    return type_name.rpartition(".")[2]


def proto_block(texts: list[str]) -> str:
    return "```proto\n" + "\n\n".join(texts) + "\n```\n"


def methods() -> str:
    """The Python client's methods: their arguments' names, and what their docstrings say."""
    rows = []
    for name, method in inspect.getmembers(Guessbook, inspect.isfunction):
        if not name.startswith("_"):
            names = ", ".join(list(inspect.signature(method).parameters)[1:])
            about = " ".join((inspect.getdoc(method) or "").split())
            rows.append(f"| `{name}({names})` | {cell(about)} |")
    told = "Of `Guessbook`; `AsyncGuessbook` has the same. Types and defaults: `help(Guessbook)`.\n"
    return "\n".join(["## Every method\n", told, "| | |", "|---|---|", *rows, ""])


def verbs() -> str:
    parts = [
        "## Every verb\n",
        "Every verb also takes `--home DIR`, `--address HOST:PORT`, `--json` and `--help`. [cli.md](cli.md) tells how they go together.\n",
    ]
    return "\n".join([*parts, *(verb(name, one) for name, one in verbs_of(command()))])


def verb(name: str, one: TyperCommand) -> str:
    context = typer.Context(one, info_name=name)
    about, _, example = (one.help or "").partition("Example: ")
    records = [param.get_help_record(context) for param in one.params if param.name not in EVERYWHERE]
    rows = [f"| `{cell(option)}` | {cell(meaning)} |" for option, meaning in filter(None, records)]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    paragraphs = [" ".join(paragraph.split()) for paragraph in about.strip().split("\n\n")]
    return "\n".join(
        [f"### guessbook {name}", "", *(f"{text}\n" for text in paragraphs), *table, f"Example: `{example}`\n"]
    )


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def page(written: str) -> str:
    """The page with its second half made anew. Raises ValueError where MARK is missing."""
    by_hand, mark, _ = written.partition(MARK)
    if not mark:
        raise ValueError(f"{PAGE.name} lacks the line {MARK.strip()!r}; put it back where the made part begins.")
    return f"{by_hand}{MARK}\n{methods()}\n{rpcs()}\n{verbs()}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))

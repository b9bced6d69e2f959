"""All that is known of one version: where it came from, how it was trained, its files, its notes, and what can be done with it."""

import json
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from guessbook.clients.dashboard import commands, guarded, numbers
from guessbook.clients.dashboard.clock import Clock
from guessbook.clients.dashboard.link import href
from guessbook.clients.dashboard.versions import download, kept, listing, notes, tree
from guessbook.clients.dashboard.versions.link import to_view
from guessbook.clients.dashboard.view import View
from guessbook.clients.visible import visible
from guessbook.proto.events_pb2 import Consolidation
from guessbook.proto.history_pb2 import Version
from guessbook.proto.safety_pb2 import Backup

FILES = 100  # shown of a version


def section(version: Version, backups: Sequence[Backup], search: str | None) -> list[Component]:
    """`backups`: those that hold it."""
    return [
        html.Div(
            className="card-head details-head",
            children=[
                html.Div([html.H2(version.name), *listing.marks(version)], className="version-title"),
                html.Div(_actions(version), className="version-actions"),
            ],
        ),
        *_trash(version),
        html.Div(
            className="details",
            children=[
                html.Div(_facts(version, search)),
                html.Div(
                    [
                        html.H3("Notes"),
                        *notes.section(version),
                        html.H3("Backups"),
                        *kept.section(backups, View.parse(search).at),
                    ]
                ),
                html.Div([html.H3("Files"), *_files(version)]),
            ],
        ),
    ]


def _actions(version: Version) -> list[Component]:
    if version.purged:
        return []
    if version.deleted_at_us:
        return [_restore(version.name), download.link(version.name)]
    told = json.loads(version.metadata or "{}")
    merged = version.HasField("consolidation") or told.get("consolidated_into")
    return [
        *([] if version.latest else [guarded.button("rollback", version.name, "Make latest", "refresh")]),
        *([] if merged else [guarded.button("consolidate", version.name, "Consolidate", "merge")]),
        download.link(version.name),
        guarded.button("delete-version", version.name, "Delete", "trash"),
    ]


def _restore(version: str) -> Component:
    made: Component = dmc.Button(
        commands.RESTORE.label,
        id=commands.button_id(commands.RESTORE.name, version),
        leftSection=html.Span(className="icon icon-refresh"),
        variant="default",
        size="xs",
        className="needs-right needs-now",
    )
    return made


def _trash(version: Version) -> list[Component]:
    if not version.deleted_at_us:
        return []
    clock = Clock.here()
    since = f"In the trash since {clock.moment(version.deleted_at_us)}. "
    then = (
        "Its term is over and its files were removed; a backup from before has them."
        if version.purged
        else f"Its files are kept until {clock.moment(version.purge_after_us)} at least; until then it can be restored."
    )
    return [html.P(since + then, className="job-note")]


def _facts(version: Version, search: str | None) -> list[Component]:
    told = json.loads(version.metadata or "{}")
    data, config = told.get("training_data", {}), told.get("training_config", {})
    run = href("/evolution", View.parse(search).at, run=version.run)
    pairs: list[tuple[str, Any]] = [
        ("Created", Clock.here().shown(version.created_at_us)),
        ("Kind", "Whole model, merged" if version.HasField("consolidation") else "Adapter (LoRA)"),
        ("Came from", _version_link(version.parent, search) if version.parent else "the base model"),
        (
            "Consolidated into",
            _version_link(told["consolidated_into"], search) if told.get("consolidated_into") else "",
        ),
        ("Base model", _base_model(version.base_model)),
        ("Base SHA-256", _hash(version.base_model_sha256)),
        ("Right", _change(version)),
        ("Final loss", numbers.loss(version.final_loss)),
        ("Steps", numbers.count(version.steps)),
        ("Learning rate", f"{config['learning_rate']:.3g}" if config.get("learning_rate") else ""),
        ("LoRA rank", config.get("lora_r") or ""),
        ("Dataset", visible(version.dataset_name or data.get("file") or "–")),
        ("Examples", numbers.count(data["examples"]) if data.get("examples") is not None else ""),
        ("Dataset SHA-256", _hash(version.dataset)),
        ("Dataset MD5", _hash(data.get("md5") or "")),
        ("Run", dcc.Link(version.run, href=run, className="link") if version.run else ""),
        ("Position", numbers.count(version.position)),
    ]
    if version.HasField("consolidation"):
        pairs.append(("Proof", _proof(version.consolidation)))
    shown = [part for name, value in pairs if value != "" for part in (html.Dt(name), html.Dd(value))]
    return [html.H3("About"), html.Dl(shown, className="version-facts")]


def _version_link(name: str, search: str | None) -> Component:
    return to_view(name, search, className="link", version=name, with_=None, change=None, q=None, page=None)


def _base_model(name: str) -> Component | str:
    """A path is long, and its end says which it is."""
    return html.Span(tree.model_name(name), title=name) if name else "–"


def _hash(value: str) -> Component | str:
    return html.Code(value, title=value, tabIndex=0, className="hash") if value else ""


def _change(version: Version) -> str:
    if version.baseline_accuracy < 0 or version.final_accuracy < 0:
        return "not measured"
    before, after = (round(share * 10_000) for share in (version.baseline_accuracy, version.final_accuracy))
    return f"{numbers.share(before, 10_000)} → {numbers.share(after, 10_000)}"


def _proof(proof: Consolidation) -> str:
    return (
        f"On {numbers.count(proof.examples)} examples the logits differ from base and adapter by at most "
        f"{proof.max_logit_difference:.2g} ({proof.tolerance:.2g} is allowed), {numbers.count(proof.same_guesses)} guesses are the same; "
        f"from the base alone by {proof.difference_from_base:.2g}. Merged in {proof.precision}."
    )


def _files(version: Version) -> list[Component]:
    rows = [
        html.Tr(
            [
                html.Td(file.path),
                html.Td(numbers.size(file.bytes), className="number-cell"),
                html.Td(_hash(file.sha256)),
            ]
        )
        for file in version.files[:FILES]
    ]
    head = html.Tr([html.Th("Path"), html.Th("Size", className="number-cell"), html.Th("SHA-256")])
    more = [html.P(f"{FILES} of {numbers.count(len(version.files))} shown; the download has all", className="dim")]
    whole = sum(file.bytes for file in version.files)
    return [
        html.Table([html.Thead(head), html.Tbody(rows)], className="files"),
        html.P(f"{numbers.files(len(version.files))}, {numbers.size(whole)}", className="dim"),
        *(more if len(version.files) > FILES else []),
    ]

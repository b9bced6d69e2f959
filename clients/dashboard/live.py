"""From the log to the tabs: one subscription for the whole process, a hub, one mailbox a tab, one WebSocket a tab.

A tab that is slow gets fewer and larger messages, never a queue of old ones. Knows topics, no component.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from guessbook.clients.dashboard import role
from guessbook.clients.dashboard.changes import EVERYTHING, Change, change
from guessbook.clients.dashboard.queries import Queries
from guessbook.clients.errors import GuessbookError, Unreachable

log = logging.getLogger(__name__)

WINDOW_S = 0.1  # a tab gets at most one message in it
BEAT_S = 5.0  # and at least one in this time, so that it can tell a quiet log from a dead line
RETRY_S = 1.0  # of what a subscription does not try again by itself


class Mailbox:
    """What one tab has not been told yet: never more than one message."""

    def __init__(self) -> None:
        self._pending: Change | None = None
        self._filled = asyncio.Event()

    def put(self, news: Change) -> None:
        self._pending = self._pending.then(news) if self._pending else news
        self._filled.set()

    async def take(self, timeout: float) -> Change | None:
        """All that came since the last call, waiting for it; None if nothing came in `timeout` seconds."""
        try:
            await asyncio.wait_for(self._filled.wait(), timeout)
        except TimeoutError:
            return None
        self._filled.clear()
        pending, self._pending = self._pending, None
        return pending


class Hub:
    """Knows where the log is, whether the line to it stands, and the open tabs."""

    def __init__(self) -> None:
        self.position = 0
        self.connected = False
        self.mailboxes: set[Mailbox] = set()

    @contextmanager
    def mailbox(self) -> Iterator[Mailbox]:
        """A new tab's, as long as it is open."""
        mailbox = Mailbox()
        self.mailboxes.add(mailbox)
        try:
            yield mailbox
        finally:
            self.mailboxes.discard(mailbox)

    def publish(self, news: Change, connected: bool = True) -> None:
        """A change of the line itself reaches the tabs like news. A quiet heartbeat does not."""
        if news.position == self.position and not news.touched and connected == self.connected:
            return
        self.position, self.connected = news.position, connected
        for mailbox in self.mailboxes:
            mailbox.put(news)

    def message(self, news: Change) -> dict[str, Any]:
        """What a tab is sent. `link` is the line to the server; the tab itself knows of the line to us."""
        return {
            "position": self.position,
            "link": "live" if self.connected else "reconnecting",
            "touched": sorted(news.touched),
            "step": news.step,
        }


async def follow(queries: Queries, hub: Hub) -> None:
    """Keeps `hub` at the log's head, for ever. In the owner's role: whoever runs the dashboard may have no other."""
    role.asking.set(role.OWNER)

    def lost(error: GuessbookError) -> None:
        if hub.connected:
            log.info("%s", error)
        hub.publish(Change(hub.position), connected=False)

    while True:
        try:
            # At first, or on a log that is not the one before, whatever a tab shows may be of the past.
            head = await queries.head()
            queries.forget()
            hub.publish(Change(head.position, frozenset((EVERYTHING,))))
            async for answer in queries.subscribe(hub.position + 1, lost):
                hub.publish(change(answer))
        except GuessbookError as error:
            if not isinstance(error, Unreachable):
                log.warning("the subscription failed: %s %s", error, error.hint)
            lost(error)
            await asyncio.sleep(RETRY_S)


async def serve_tab(socket: WebSocket, hub: Hub) -> None:
    """One tab's `/live`, until it closes."""
    await socket.accept()
    with hub.mailbox() as mailbox:
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(_send(socket, hub, mailbox))
            # A tab says nothing: this notices that it went.
            with suppress(WebSocketDisconnect):
                while True:
                    await socket.receive_text()
            sending.cancel()


async def _send(socket: WebSocket, hub: Hub, mailbox: Mailbox) -> None:
    with suppress(WebSocketDisconnect):
        await socket.send_json(hub.message(Change(hub.position)))
        while True:
            news = await mailbox.take(BEAT_S)
            await socket.send_json(hub.message(news or Change(hub.position)))
            await asyncio.sleep(WINDOW_S)

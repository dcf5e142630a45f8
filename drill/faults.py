"""What can be made to go wrong with the API server, for tests and scenarios; switched while it runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """Switches that the server looks at with every request. `ApiServer.refuse`, `drop_connections` and
    `expire_watches` are the acts that go with them.

    ``frozen``         requests are accepted and never answered, open watches fall silent (see `freeze`, `thaw`).
    ``error``          every request is answered with this status (500, 503 …) and a Status body.
    ``delay``          seconds before every answer.
    ``no_watches``     a watch ends at once after it began.
    ``expired_as_status``  a watch from too old a resourceVersion is HTTP 410 instead of an ERROR event.
    ``throttled``      this many further requests are answered with 429 and Retry-After: 1.
    ``closed``         namespaces in which everything is 403, for every user.
    ``logged_out``     every token is refused with 401.
    ``no_metrics``     metrics.k8s.io is registered, and nothing stands behind it (503).
    ``unheard``        this many further writes are lost on their way: the connection is cut and nothing was done.
    ``unanswered``     this many further writes are carried out, and the connection is cut before the answer.
    ``only``           if set, `error`, `delay` and `throttled` concern only paths that contain this text.
    """

    error: int | None = None
    delay: float = 0.0
    no_watches: bool = False
    expired_as_status: bool = False
    throttled: int = 0
    logged_out: bool = False
    no_metrics: bool = False
    unheard: int = 0
    unanswered: int = 0
    only: str = ""
    closed: set[str] = field(default_factory=set)
    _running: asyncio.Event = field(default_factory=asyncio.Event)
    _frozen: bool = False

    @property
    def frozen(self) -> bool:
        return self._frozen

    def freeze(self) -> None:
        self._frozen = True
        self._running.clear()

    def thaw(self) -> None:
        self._frozen = False
        self._running.set()

    async def gate(self) -> None:
        """Returns when the server is not frozen."""
        while self._frozen:
            await self._running.wait()

    def concerns(self, path: str) -> bool:
        return self.only in path

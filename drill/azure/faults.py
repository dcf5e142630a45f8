"""What can be made to go wrong with Azure, for tests and scenarios; switched while it runs."""

from __future__ import annotations

import asyncio

from msgspec import Struct, field


class AzureFaults(Struct):
    """Switches that the endpoint looks at with every request.

    ``frozen``           requests are accepted and never answered (see `freeze`, `thaw`).
    ``error``            every request is answered with this status (500, 503 …).
    ``delay``            seconds before every answer: slow pages.
    ``throttled``        this many further requests are answered with 429 and ``Retry-After: retry_after``.
    ``repeated_pages``   this many further pages are handed out twice: their next link leads to themselves.
    ``page_size``        how many entries a page has.
    ``logged_out``       every token is refused as expired (see `ArmServer.expire_token`).
    ``forbidden``        actions that the token's owner may not do: ``Microsoft.Insights/eventtypes/values/read``.
    ``failing``          this many further long-running operations fail when they are half done.
    ``lag``              seconds until an entry of the activity log can be read after it happened.
    ``blind``            the newest so many minutes of metrics have no value yet.
    ``skew``             seconds by which Azure's clock is ahead of ours: in all it writes and understands.
    ``unheard``          this many further writes are lost on their way: the connection is cut and nothing was done.
    ``unanswered``       this many further writes are carried out, and the connection is cut before the answer.
    ``only``             if set, `error`, `delay` and `throttled` concern only paths that contain this text.
    """

    error: int | None = None
    delay: float = 0.0
    throttled: int = 0
    retry_after: int = 1
    repeated_pages: int = 0
    page_size: int = 200
    logged_out: bool = False
    failing: int = 0
    lag: float = 0.0
    blind: int = 0
    skew: float = 0.0
    unheard: int = 0
    unanswered: int = 0
    only: str = ""
    forbidden: set[str] = set()
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
        """Returns when the endpoint is not frozen."""
        while self._frozen:
            await self._running.wait()

    def concerns(self, path: str) -> bool:
        return self.only.lower() in path.lower()

    def forbids(self, action: str) -> bool:
        return action.lower() in {forbidden.lower() for forbidden in self.forbidden}

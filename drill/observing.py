"""What reaches the API server, for whoever wants to see it: a test that holds a client to what it promised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import web

from drill import protobuf

_LOOKS: Final = ("GET", "HEAD")
_OPENED_WITH_GET: Final = ("/exec", "/attach", "/portforward")  # and yet no looking
_REVIEWS: Final = ("/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/")


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came in, before anything was decided about it. ``body`` is empty for what only reads."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def looks(self) -> bool:
        """Whether it only reads: GET, HEAD, or an access review; who opens an exec does something."""
        reads = self.method in _LOOKS and not self.path.endswith(_OPENED_WITH_GET)
        return reads or self.path.startswith(_REVIEWS)

    @property
    def dry(self) -> bool:
        """Whether it is a rehearsal that stores nothing."""
        return self.query.get("dryRun") == "All"

    @property
    def writes(self) -> bool:
        """Whether it asks to change something."""
        return not self.looks and not self.dry

    @property
    def media(self) -> str:
        return self.headers.get("Content-Type", "")

    def json(self) -> Any:
        """The body, decoded."""
        return protobuf.decode(self.body) if self.media == protobuf.MEDIA else msgspec.json.decode(self.body)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


Observer = Callable[[Request], None]
"""Called with every request when it arrives. What it raises ends the request with a 500."""


async def seen(request: web.BaseRequest, *, body: bool) -> Request:
    """A request as observers get it, with its body if anybody wants that."""
    content = await request.read() if body and request.method not in _LOOKS else b""
    return Request(request.method, request.path, request.query, request.headers, content)

"""Large answers in gzip, as the real API server sends them to whoever takes it.

Thresholds and level are those of Kubernetes' ``apiserver/pkg/endpoints/handlers/responsewriters/writers.go``.
"""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import web

LARGE = 128 * 1024  # bytes; a smaller body is sent as it is
_LEVEL = 1
_GZIP = 31  # zlib's window bits for gzip's header and trailer


async def packed(answer: web.Response, accept_encoding: str) -> web.Response:
    """The answer, packed if it is large and ``Accept-Encoding`` says that gzip is taken."""
    body = answer.body
    if not isinstance(body, bytes) or len(body) <= LARGE or not _takes_gzip(accept_encoding):
        return answer
    answer.body = await asyncio.to_thread(_pack, body)
    answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Vary"] = "Accept-Encoding"
    return answer


def _takes_gzip(accept_encoding: str) -> bool:
    """A token that is gzip and nothing else: the real server does not look at weights either."""
    return any(token.strip() == "gzip" for token in accept_encoding.split(","))


def _pack(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()

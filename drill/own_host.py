"""Whether a request is for us by name: a web page that found the port (DNS rebinding) names another host."""

from __future__ import annotations

from aiohttp import web


def is_own(request: web.BaseRequest, port: int) -> bool:
    """Whether its Host is ours: 127.0.0.1 or localhost, with our port."""
    return request.headers.get("Host", "") in (f"127.0.0.1:{port}", f"localhost:{port}")

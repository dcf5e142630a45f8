"""The organiser's address: plain HTTP on loopback with a token of its own, and the file that says where it is.

It is the platform's own, and no participant's: their tokens do not open it, and its file is not among theirs.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from drill.injections import BadStep
from drill.organiser import Organiser
from drill.own_host import is_own
from drill.records import encode

Json = dict[str, Any]

_MAX_BODY: Final = 64 * 1024
_TIMEOUT: Final = 10.0  # seconds


class NoControl(Exception):
    """Nobody answers there, or not as a platform does; one sentence."""


class Refusal(Exception):
    """The platform will not do it; its own sentence."""


class Control:
    """Serves an organiser on 127.0.0.1 only, on a free port, to whoever has the token."""

    def __init__(self, organiser: Organiser) -> None:
        self.token = secrets.token_urlsafe(32)
        self._organiser = organiser
        self._runner: web.ServerRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``"""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        await self._organiser.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    def announce(self, path: Path) -> None:
        """Write address and token into a file that only its owner can read."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": self.url, "token": self.token}, file)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        if not is_own(request, self._port):
            return _said(421, "this server has another name")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(
            token.encode(errors="replace"), self.token.encode()
        ):
            return _said(401, "this is the organiser's address, and that is not the organiser's token")
        match request.method, request.path:
            case "GET", "/state":
                return web.Response(body=encode(self._organiser.state()), content_type="application/json")
            case "POST", "/do":
                return await self._do(request)
        return _said(404, "there is GET /state and POST /do")

    async def _do(self, request: web.BaseRequest) -> web.Response:
        if request.content_length is None or request.content_length > _MAX_BODY:
            return _said(413, f"a step has at most {_MAX_BODY} bytes")
        try:
            asked = json.loads(await request.read())
            text, by = str(asked["step"]), str(asked.get("by") or "organiser")[:80]
        except (ValueError, KeyError, TypeError, AttributeError):
            return _said(400, 'expected {"step": "…", "by": "…"}')
        try:
            kept = self._organiser.inject(text, by)
        except BadStep as error:
            return _said(422, str(error))
        return web.Response(body=encode(msgspec.to_builtins(kept)), content_type="application/json")


def _said(status: int, sentence: str) -> web.Response:
    return web.json_response({"message": sentence}, status=status)


class Remote:
    """The organiser's address as a client has it, blocking. ``where`` is the file of `Control.announce`."""

    def __init__(self, where: Path) -> None:
        try:
            told = json.loads(where.read_text(encoding="utf-8"))
            address = urlsplit(told["url"])
            self._host, self._port, self._token = str(address.hostname), int(address.port or 0), str(told["token"])
        except OSError as error:
            raise NoControl(f"{where}: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError):
            raise NoControl(f"{where} does not say where a drill's platform is controlled") from None
        if self._host not in ("127.0.0.1", "localhost"):
            raise NoControl(f"{where}: {self._host} is not this machine")

    def state(self) -> Json:
        """See `Organiser.state`. Raises `NoControl`, `Refusal`."""
        return self._ask("GET", "/state")

    def do(self, step: str, by: str) -> Json:
        """Have a step happen; gives an `Injected`. Raises `NoControl`, `Refusal` with the checker's sentence."""
        return self._ask("POST", "/do", {"step": step, "by": by})

    def _ask(self, method: str, path: str, body: Json | None = None) -> Json:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT)
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            status, found = answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise NoControl(f"the drill's platform does not answer: {error}") from None
        except ValueError:
            raise NoControl("what answers there is no drill's platform") from None
        finally:
            connection.close()
        if not isinstance(found, dict):
            raise NoControl("what answers there is no drill's platform")
        if status != 200:
            raise Refusal(str(found.get("message") or f"status {status}"))
        return found

"""A command in a container, over WebSocket: what it says, and how it ends. Only `runbook.hands` may open one.

The first byte of a message is its channel (k8s.io/apimachinery/pkg/util/remotecommand): 1 and 2 are the command's
output, 3 is a Status that says how it ended. aiohttp speaks the WebSocket; it is imported when it is first needed.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from runbook.errors import NotSent, Uncertain

if TYPE_CHECKING:
    import aiohttp

    from probes.credentials import Material

Json = dict[str, Any]

Heard = Callable[[bytes], None]

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, ERROR = 1, 2, 3
HEAD, TAIL = 48 * 1024, 16 * 1024  # bytes of the output that are kept: of its beginning, and of its end
_MOST_MESSAGE = 4 * 1024 * 1024
_MOST_BODY = 64 * 1024  # of a refusal
_GOODBYE = 1.0  # seconds to close politely


class Said:
    """What came on one channel, or on both: the beginning and the end of it, and how much was in between."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self.left_out = 0  # bytes

    def add(self, piece: bytes) -> None:
        room = HEAD - len(self._head)
        self._head += piece[:room] if room > 0 else b""
        self._tail += piece[max(0, room) :]
        if len(self._tail) > TAIL:
            self.left_out += len(self._tail) - TAIL
            del self._tail[:-TAIL]

    @property
    def text(self) -> str:
        """With a line that says what is missing."""
        gap = f"\n… {self.left_out:,} bytes are not kept …\n".encode() if self.left_out else b""
        return bytes(self._head + gap + self._tail).decode("utf-8", "replace")


class Ran(Struct, frozen=True, kw_only=True):
    """How a command ended, as far as it was heard.

    ``code`` is its exit status; None when it was not started (then ``error`` says why, in the server's words), when it
    was ``cut`` by the time limit, or when the stream ended without a word (``error`` is empty then).
    """

    code: int | None
    error: str
    cut: bool
    seconds: float
    output: str  # both channels in the order in which they came
    stdout: str
    stderr: str
    left_out: int  # bytes of ``output`` that were not kept


class Declined(Struct, frozen=True):
    """The server's answer where it did not open the stream."""

    status: int
    body: bytes
    retry_after: str | None


class Limits(Struct, frozen=True):
    """Seconds: to reach the server, until it has opened the stream, until the command must have ended."""

    connect: float
    answer: float
    command: float


async def run(material: Material, target: str, limits: Limits, heard: Heard) -> Ran | Declined:
    """Open the stream at ``target`` (path and query) and listen until the command ends. It is asked for once.

    ``heard`` gets what comes as it comes, and nothing (``b""``) once when the stream is open.

    Raises `NotSent` (nothing reached the server), `Uncertain` (it did, and no answer came).
    """
    # In a thread: the first import takes 180 ms, and the console is painting.
    aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
    session = aiohttp.ClientSession(
        middlewares=[_once],
        timeout=aiohttp.ClientTimeout(total=None, connect=limits.connect, sock_connect=limits.connect),
        auto_decompress=False,
    )
    try:
        async with asyncio.timeout(limits.answer):
            socket = await _socket(session, material, target)
        heard(b"")
        return await _listen(socket, limits.command, heard)
    except _NotUpgraded as answer:
        return answer.declined
    except _Unconnected as error:
        raise NotSent(f"nothing was sent: cannot connect to {material.selection.server}: {error}") from error
    except (TimeoutError, _Broke) as error:
        why = f"no answer within {limits.answer:g} s" if isinstance(error, TimeoutError) else str(error)
        text = f"the request went out to {material.selection.server} and {why}: it may have been carried out"
        raise Uncertain(text) from error
    finally:
        await session.close()


class _NotUpgraded(Exception):
    def __init__(self, declined: Declined) -> None:
        super().__init__(declined.status)
        self.declined = declined


class _Unconnected(Exception):
    """There is no connection to send anything on."""


class _Broke(Exception):
    """Something went wrong after the request was sent, and before it was answered."""


async def _socket(session: aiohttp.ClientSession, material: Material, target: str) -> aiohttp.ClientWebSocketResponse:
    import aiohttp
    from yarl import URL

    origin = material.origin
    scheme = "http" if origin.tls is None else "https"
    headers = {"User-Agent": "warroom"}
    if material.authorization:
        headers["Authorization"] = material.authorization
    try:
        return await session.ws_connect(
            URL(f"{scheme}://{origin.authority}{material.path}{target}", encoded=True),
            protocols=PROTOCOLS,
            headers=headers,
            ssl=True if origin.tls is None else origin.tls,
            server_hostname=origin.server_name or None,
            proxy=origin.proxy or None,
            proxy_headers=origin.proxy_headers,
            timeout=aiohttp.ClientWSTimeout(ws_close=_GOODBYE),
            max_msg_size=_MOST_MESSAGE,
        )
    except aiohttp.ConnectionTimeoutError as error:
        raise _Unconnected("it does not answer") from error
    except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError, ValueError) as error:
        cause = getattr(error, "os_error", None) or error
        raise _Unconnected(str(getattr(cause, "strerror", None) or cause)) from error
    except aiohttp.WSServerHandshakeError as error:
        raise _Broke(f"what answered speaks no WebSocket ({error.message.lower()})") from error
    except aiohttp.ClientError as error:
        raise _Broke("the connection broke") from error


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Stands between aiohttp and the wire: left alone, it sends a GET again that broke, and follows redirects."""
    import aiohttp

    try:
        answer = await send(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Broke("the connection broke") from error
    if answer.status == 101:
        return answer
    try:
        body = await answer.content.read(_MOST_BODY)
    finally:
        answer.close()
    raise _NotUpgraded(Declined(answer.status, body, answer.headers.get("Retry-After")))


async def _listen(socket: aiohttp.ClientWebSocketResponse, limit: float, heard: Heard) -> Ran:
    """Everything until the server says how it ended, closes, or the time is over."""
    import aiohttp

    loop = asyncio.get_running_loop()
    began = loop.time()
    both, out, err = Said(), Said(), Said()
    status = bytearray()
    cut = False
    try:
        async with asyncio.timeout(limit):
            while (message := await socket.receive()).type is aiohttp.WSMsgType.BINARY:
                data: bytes = message.data
                channel, piece = (data[0], data[1:]) if data else (0, b"")
                if channel in (STDOUT, STDERR):
                    both.add(piece)
                    (out if channel == STDOUT else err).add(piece)
                    heard(piece)
                elif channel == ERROR:
                    status += piece[: _MOST_BODY - len(status)]
    except TimeoutError:
        cut = True
    except (aiohttp.ClientError, OSError):
        pass  # whatever broke: no word came of how it ended
    seconds = loop.time() - began
    code, error = _end(bytes(status))
    return Ran(
        code=code,
        error=error,
        cut=cut and code is None and not error,
        seconds=seconds,
        output=both.text,
        stdout=out.text,
        stderr=err.text,
        left_out=both.left_out,
    )


def _end(status: bytes) -> tuple[int | None, str]:
    """The exit status in a metav1.Status, or why there is none."""
    if not status:
        return None, ""
    try:
        said = msgspec.json.decode(status, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, status.decode("utf-8", "replace")  # servers before v4 wrote a sentence there
    if said.get("status") == "Success":
        return 0, ""
    details = said.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            text = str(cause.get("message"))
            if text.isascii() and text.isdigit() and len(text) < 6:
                return int(text), ""
    return None, str(said.get("message") or said.get("reason") or "the server does not say why")

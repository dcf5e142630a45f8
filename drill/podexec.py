"""The exec subresource of pods, over WebSocket: the query's options, the refusals, and the channels of the stream.

https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/#-strong-misc-operations-pod-v1-core-strong- and
k8s.io/apimachinery/pkg/util/remotecommand: the first byte of every message is the channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiohttp import web
from multidict import MultiMapping

from drill import statuses
from drill.faults import Faults
from drill.podlogs import container_of

Json = dict[str, Any]

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, ERROR = 1, 2, 3
KILLED: Final = 137
_PIECE: Final = 32 * 1024  # bytes in one message, as a kubelet copies


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """What is to be run, and where. With ``tty`` everything comes on stdout."""

    container: str
    command: tuple[str, ...]
    stdout: bool
    stderr: bool
    tty: bool


Write = Callable[[int, bytes], Awaitable[None]]
"""Sends bytes on `STDOUT` or `STDERR`."""


class NotStarted(Exception):
    """The runtime cannot start the command. ``str()`` is what it says about it."""


class ProgramProvider(Protocol):
    """Runs a command in a container; its exit status. Raises `NotStarted`; cancelled when nobody listens any more."""

    async def __call__(self, pod: Json, options: ExecOptions, write: Write) -> int: ...


def options_of(pod: Json, query: MultiMapping[str]) -> ExecOptions:
    """The options of a request. Raises BadRequest."""
    container = container_of(pod, query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        raise statuses.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    options = ExecOptions(
        container=container,
        command=tuple(query.getall("command", ())),
        stdout=_true(query, "stdout"),
        stderr=_true(query, "stderr"),
        tty=_true(query, "tty"),
    )
    if not (options.stdout or options.stderr or _true(query, "stdin")):
        raise statuses.bad_request("you must specify at least 1 of stdin, stdout, stderr")
    if not any(options.command):
        raise statuses.bad_request("you must specify at least 1 command for the container")
    return options


def _true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1")


async def serve(
    request: web.BaseRequest, pod: Json, options: ExecOptions, programs: ProgramProvider, faults: Faults
) -> web.StreamResponse:
    """Upgrade the connection and run the command. Raises BadRequest for what is no WebSocket."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise statuses.bad_request("Upgrade request required")
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    if not set(offered) & set(PROTOCOLS):
        raise statuses.ApiError(403, "Forbidden", f"unable to upgrade: none of {offered} is spoken here")
    socket = web.WebSocketResponse(protocols=PROTOCOLS, compress=False, timeout=1.0)
    await socket.prepare(request)

    async def write(channel: int, content: bytes) -> None:
        if options.tty:
            channel, content = STDOUT, content.replace(b"\n", b"\r\n")
        if not (options.stdout if channel == STDOUT else options.stderr):
            return
        for start in range(0, len(content), _PIECE):
            await faults.gate()
            await socket.send_bytes(bytes([channel]) + content[start : start + _PIECE])

    await socket.send_bytes(bytes([STDOUT]))  # "the connection is established", as a kubelet says it
    running = asyncio.ensure_future(programs(pod, options, write))
    listening = asyncio.ensure_future(_until_closed(socket))
    try:
        await asyncio.wait({running, listening}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await faults.gate()
            await socket.send_bytes(bytes([ERROR]) + json.dumps(_ended(running)).encode())
            await socket.close()
    except ConnectionError:
        pass  # whoever asked has left
    finally:
        for task in (running, listening):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError, NotStarted):
                await task
    return socket


async def _until_closed(socket: web.WebSocketResponse) -> None:
    async for _ in socket:  # standard input and window sizes: no program here wants them
        pass


def _ended(running: asyncio.Future[int]) -> Json:
    """The Status on the error channel (k8s.io/kubelet/pkg/cri/streaming/remotecommand, NewNonZeroExit…)."""
    error = running.exception()
    if isinstance(error, NotStarted):
        why = f"error executing command in container: {error}"
        return statuses.internal(why).body()
    if error is not None:
        raise error
    code = running.result()
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }

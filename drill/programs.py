"""The programs in the platform's containers: a small curl where the image has one. There is nothing else, no shell."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

from drill.clock import Clock
from drill.curl import Curl
from drill.network import Network
from drill.podexec import KILLED, STDERR, STDOUT, ExecOptions, NotStarted, Write
from drill.store import ObjectStore
from drill.world import POD

Json = dict[str, Any]

_LOOK: Final = 0.1  # seconds between two looks whether the container still runs
_HEX: Final = "9f6d1c0a"  # how a runtime calls a process that it could not start


class Programs:
    """The platform's `ProgramProvider`. ``with_curl`` are the names of the containers whose image has a curl."""

    def __init__(self, store: ObjectStore, clock: Clock, network: Network, with_curl: Collection[str]) -> None:
        self.network = network
        self._store = store
        self._clock = clock
        self._with_curl = frozenset(with_curl)

    async def __call__(self, pod: Json, options: ExecOptions, write: Write) -> int:
        meta, program = pod["metadata"], options.command[0]
        container = options.container
        if not self._runs(pod, container):
            raise NotStarted(f'container not found ("{container}")')
        if program.rpartition("/")[2] != "curl" or container not in self._with_curl:
            raise NotStarted(
                f'failed to exec in container: failed to start exec "{_HEX}": OCI runtime exec failed: exec failed: '
                f'unable to start container process: exec: "{program}": executable file not found in $PATH: unknown'
            )

        async def out(text: str) -> None:
            await write(STDOUT, text.encode())

        async def err(text: str) -> None:
            await write(STDERR, text.encode())

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds / self._clock.speed)

        curl = Curl(self.network, pod, out=out, err=err, sleep=sleep)
        running = asyncio.ensure_future(curl.run(options.command[1:]))
        try:
            while not (await asyncio.wait({running}, timeout=_LOOK))[0]:
                fresh = self._store.get(POD, meta["namespace"], meta["name"])
                if fresh is None or fresh["metadata"]["uid"] != meta["uid"] or not self._runs(fresh, container):
                    return KILLED
            return running.result()
        finally:
            running.cancel()

    @staticmethod
    def _runs(pod: Json, container: str) -> bool:
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            if status["name"] == container:
                return "running" in (status.get("state") or {})
        return False

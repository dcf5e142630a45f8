"""The sessions of a database that block others: who holds locks, who waits for them, and how one of them ends.

Rows have the columns of sys.dm_exec_requests and sys.dm_exec_sessions that the runbook's queries show.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from drill.azure.part import Blocker
from drill.clock import Clock
from drill.offsets import seconds

_MOST_WAITING = 1_000
_TIMEOUT = 30.0  # seconds after which a statement that waits is given up by its client, which tries again


class Request(Struct, frozen=True):
    """One request that runs or waits. Times are in milliseconds; ``began_at`` (wall seconds) is its session's login."""

    session_id: int
    blocking_session_id: int
    status: str  # running, suspended
    command: str
    wait_type: str
    wait_time: int
    total_elapsed_time: int
    cpu_time: int
    open_transactions: int
    login_name: str
    host_name: str
    program_name: str
    text: str
    began_at: float


class Sessions:
    """The blocking sessions of one database. ``start`` is what the offsets in their data are relative to."""

    def __init__(self, blockers: tuple[Blocker, ...], clock: Clock, start: float) -> None:
        self._clock = clock
        self._blockers = {blocker.session: blocker for blocker in blockers}
        self._begun = {blocker.session: start + seconds(blocker.at) for blocker in blockers}
        self._ended: dict[int, float] = {}

    def blocking(self) -> list[Blocker]:
        """Those that hold locks now."""
        return [blocker for number, blocker in self._blockers.items() if self.alive(number, self._clock.now)]

    def alive(self, session: int, at: float) -> bool:
        """Whether it was there at an instant of the world."""
        return self._begun[session] <= at < self._ended.get(session, float("inf"))

    def weight(self, blocker: Blocker, at: float) -> float:
        """How much of what it causes was felt at an instant, 0 to 1."""
        begun = self._begun[blocker.session]
        if not self.alive(blocker.session, at):
            return 0.0
        return min(1.0, (at - begun) / max(seconds(blocker.ramp), 1.0))

    def shares(self, at: float) -> Iterator[tuple[Blocker, float]]:
        for blocker in self._blockers.values():
            weight = self.weight(blocker, at)
            if weight > 0:
                yield blocker, weight

    def age(self, blocker: Blocker) -> float:
        """For how many seconds it has been at it."""
        return self._clock.now - self._begun[blocker.session]

    def kill(self, session: int) -> bool:
        """End a session, as KILL does; its transaction is rolled back at once. False if there is no such session."""
        if session not in self._blockers or not self.alive(session, self._clock.now):
            return False
        self._ended[session] = self._clock.now
        return True

    def requests(self) -> list[Request]:
        """What runs and what waits now, those that hold the locks first."""
        found: list[Request] = []
        for blocker in self.blocking():
            found.append(self._holder(blocker))
            found += self._waiting(blocker)
        return found

    def _holder(self, blocker: Blocker) -> Request:
        since = self._begun[blocker.session]
        elapsed = int((self._clock.now - since) * 1000)
        return Request(
            session_id=blocker.session,
            blocking_session_id=0,
            status="running",
            command=blocker.command,
            wait_type="",
            wait_time=0,
            total_elapsed_time=elapsed,
            cpu_time=elapsed * 7 // 10,
            open_transactions=1,
            login_name=blocker.login,
            host_name=blocker.host,
            program_name=blocker.program,
            text=blocker.statement,
            began_at=self._clock.wall(since),
        )

    def _waiting(self, blocker: Blocker) -> Iterator[Request]:
        age = self.age(blocker)
        for number in range(min(blocker.blocks, _MOST_WAITING)):
            session = blocker.session + 1 + number
            waited = (age + number * 7.3) % _TIMEOUT
            yield Request(
                session_id=session,
                blocking_session_id=blocker.session,
                status="suspended",
                command=blocker.waiting.split(maxsplit=1)[0].upper(),
                wait_type="LCK_M_S",
                wait_time=int(waited * 1000),
                total_elapsed_time=int(waited * 1000) + 2,
                cpu_time=1,
                open_transactions=0,
                login_name=blocker.waiting_login,
                host_name=f"{blocker.waiting_login.removeprefix('svc-')}-{number % 4}",
                program_name="Core Microsoft SqlClient Data Provider",
                text=blocker.waiting,
                began_at=self._clock.wall(self._begun[blocker.session] - 3600.0 - number),
            )

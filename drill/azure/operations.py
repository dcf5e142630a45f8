"""Long-running operations: begun with an answer of 202, asked for until they have ended, cancelled or failed."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from drill.clock import Timer

Json = dict[str, Any]

State = Literal["Pending", "InProgress", "Succeeded", "Failed", "CancelInProgress", "Cancelled"]

GOING_ON: Final = ("Pending", "InProgress", "CancelInProgress")
FRIENDLY: Final = {
    "CreateLogicalDatabase": "CREATE DATABASE",
    "RestoreLogicalDatabase": "RESTORE DATABASE",
    "UpdateLogicalDatabase": "ALTER DATABASE",
    "DropLogicalDatabase": "DROP DATABASE",
}


class Operation(Struct):
    """One operation on a database. Instants are world seconds; ``takes`` is how long it is going to take."""

    id: str
    kind: str  # UpdateLogicalDatabase …, see `FRIENDLY`
    database: str
    server: str
    begun: float
    takes: float
    correlation: str
    state: State = "InProgress"
    ended: float | None = None
    error: tuple[int, str] | None = None  # number and text
    timer: Timer | None = None

    @property
    def going_on(self) -> bool:
        return self.state in GOING_ON

    @property
    def cancellable(self) -> bool:
        return self.state == "InProgress" and self.kind != "DropLogicalDatabase"

    def percent(self, now: float) -> int:
        """How much of it is done; one that goes on is never quite done."""
        if self.state == "Succeeded":
            return 100
        until = self.ended if self.ended is not None else now
        return max(0, min(99, int(100 * (until - self.begun) / max(self.takes, 1.0))))

    @property
    def asked_state(self) -> str:
        """As the answer to a poll has it, which spells one of them otherwise."""
        return {"Cancelled": "Canceled", "CancelInProgress": "InProgress", "Pending": "InProgress"}.get(
            self.state, self.state
        )

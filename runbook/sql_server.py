"""Which SQL server the guides' checks ask, and how the console signs in there. It holds no secret, only ways to one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

PORT = 1433


class Login(NamedTuple):
    """What one connection signs in with: a token of Entra ID, or a user and a password. Never stored, never shown."""

    token: str = ""
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "Login(…)"


class SqlServer(NamedTuple):
    """``sign_in`` gives a login when one is needed, and raises `ProbeError` with what to do where there is none.

    ``ca_file`` empty: the authorities of this machine. ``timeout`` is of a statement, in seconds.
    """

    host: str
    database: str
    sign_in: Callable[[], Awaitable[Login]]
    port: int = PORT
    ca_file: str = ""
    timeout: float = 15.0

    @property
    def address(self) -> str:
        return f"{self.host.lower()}:{self.port}"

    @property
    def context(self) -> str:
        """What stands for it where a cluster's context stands."""
        return self.host.partition(".")[0].lower()

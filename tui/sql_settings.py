"""The ``[sql]`` part of the settings: the SQL server that the guides' queries are asked of.

There is no secret in it: a password is named by its environment variable, and without one the login is Azure's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from tui.toml_table import SettingsError

if TYPE_CHECKING:
    from tui.toml_table import Table

__all__ = ["SqlSettings", "sql_settings"]

_HOST = r"(?i)[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


class SqlSettings(Struct, frozen=True):
    """Without a server, queries are shown and copied. ``user_env`` empty: a token of Entra ID, by the Azure login."""

    server: str = ""
    database: str = ""
    port: int = 1433
    user_env: str = ""
    password_env: str = ""
    ca_file: str = ""  # empty: the authorities of this machine
    timeout: float = 15.0  # seconds of a statement

    @property
    def configured(self) -> bool:
        return bool(self.server)


def sql_settings(table: Table, azure: bool) -> SqlSettings:
    """Read ``[sql]``; ``azure`` says whether there is an account to sign in with. Raises SettingsError."""
    default = SqlSettings()
    settings = SqlSettings(
        server=table.text("server").strip(),
        database=table.text("database").strip(),
        port=table.integer("port", default.port, low=1, high=65535),
        user_env=_variable(table, "user_env"),
        password_env=_variable(table, "password_env"),
        ca_file=table.file("ca_file"),
        timeout=table.seconds("timeout", default.timeout, low=1, high=300),
    )
    if table.empty:
        return settings
    expected = "a server's name like banking-platform-prod-sql.database.windows.net"
    if not table.has("server"):
        raise SettingsError(f"{table.path}: sql.server: missing, expected {expected}")
    if not re.fullmatch(_HOST, settings.server):
        raise table.wrong("server", expected)
    if not settings.database:
        raise SettingsError(f"{table.path}: sql.database: missing, expected a database's name")
    if bool(settings.user_env) != bool(settings.password_env):
        missing = "password_env" if settings.user_env else "user_env"
        raise SettingsError(f"{table.path}: sql.{missing}: missing, user_env and password_env go together")
    if not settings.user_env and not azure:
        raise SettingsError(
            f"{table.path}: sql.user_env: missing, expected it with password_env, or an [azure] to sign in with"
        )
    return settings


def _variable(table: Table, key: str) -> str:
    value = table.text(key).strip()
    if value and not re.fullmatch(_VARIABLE, value):
        # Not `wrong`: somebody may have put the secret itself here.
        raise SettingsError(f"{table.path}: sql.{key}: expected the name of an environment variable")
    return value

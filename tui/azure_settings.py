"""The ``[azure]`` part of the settings: which subscription, groups and databases, and how the console signs in.

There is no secret in it: a login is the Azure CLI's or the platform's own, and a token file is read when it is needed.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from tui.toml_table import SettingsError

if TYPE_CHECKING:
    from tui.toml_table import Table

__all__ = ["AzureSettings", "azure_settings"]

PUBLIC_CLOUD = "https://management.azure.com"

# Compiled when they are asked for: most settings have none of this, and every start reads settings.
_SUBSCRIPTION = r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
_GROUP = r"[\w.()-]{0,89}[\w()-]"
_SERVER = r"(?i)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DATABASE = r"[^<>*%&:\\/?\x00-\x1f]{0,127}[^<>*%&:\\/?\x00-\x1f. ]"
_SPAN = r"(\d{1,4})(m|h|d)"
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 14 * 86400.0  # seconds; Azure keeps 90 days, which are no incident's


class AzureSettings(Struct, frozen=True):
    """Where to look in Azure; without a subscription nothing of Azure is shown or imported. Times in seconds."""

    subscription: str = ""
    resource_groups: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()  # "server/database"; empty: all of the groups' servers
    endpoint: str = PUBLIC_CLOUD
    authority: str = ""  # empty: the public cloud's
    token_file: str = ""  # empty: az login, then workload identity, managed identity, environment
    activity_interval: float = 30.0
    databases_interval: float = 60.0
    alerts_interval: float = 60.0
    activity_window: float = 7200.0

    @property
    def configured(self) -> bool:
        return bool(self.subscription)


def azure_settings(table: Table) -> AzureSettings:
    """Read ``[azure]``. Raises SettingsError with the one key that is wrong."""
    default = AzureSettings()
    settings = AzureSettings(
        subscription=_subscription(table),
        resource_groups=_groups(table),
        databases=_databases(table),
        endpoint=_endpoint(table),
        authority=_authority(table),
        token_file=table.file("token_file"),
        activity_interval=table.seconds("activity_interval", default.activity_interval, low=1, high=3600),
        databases_interval=table.seconds("databases_interval", default.databases_interval, low=1, high=3600),
        alerts_interval=table.seconds("alerts_interval", default.alerts_interval, low=1, high=3600),
        activity_window=_window(table, default.activity_window),
    )
    if not settings.configured:
        return settings
    if not settings.resource_groups:
        raise SettingsError(f'{table.path}: azure.resource_groups: expected at least one, e.g. ["banking-prod-rg"]')
    if settings.endpoint.startswith("http://") and not settings.token_file:
        raise SettingsError(
            f"{table.path}: azure.token_file: missing, because the token of a login is not sent over plain http"
        )
    return settings


def _subscription(table: Table) -> str:
    value = table.text("subscription").strip()
    if value and not re.fullmatch(_SUBSCRIPTION, value):
        raise table.wrong("subscription", "a subscription's id (az account show --query id), 8-4-4-4-12 hex digits")
    if not value and not table.has("subscription") and not table.empty:
        raise SettingsError(
            f"{table.path}: azure.subscription: missing, expected a subscription's id (az account show --query id)"
        )
    return value.lower()


def _groups(table: Table) -> tuple[str, ...]:
    groups = table.texts("resource_groups")
    if any(not re.fullmatch(_GROUP, group) for group in groups):
        raise table.wrong("resource_groups", 'names of resource groups, e.g. ["banking-prod-rg"]')
    return tuple({group.lower(): group for group in groups}.values())


def _databases(table: Table) -> tuple[str, ...]:
    names = table.texts("databases")
    for name in names:
        server, slash, database = name.partition("/")
        if not slash or not re.fullmatch(_SERVER, server) or not re.fullmatch(_DATABASE, database):
            raise table.wrong("databases", 'a list of "server/database", e.g. ["banking-sql/Accounts"]')
    return tuple({name.lower(): name for name in names}.values())


def _endpoint(table: Table) -> str:
    expected = "an address like https://management.azure.com"
    value = table.text("endpoint", PUBLIC_CLOUD).rstrip("/") or PUBLIC_CLOUD
    parts = _split(table, "endpoint", value, expected)
    if parts.scheme not in ("http", "https"):
        raise table.wrong("endpoint", expected)
    if parts.scheme == "http" and not _on_loopback(parts.hostname or ""):
        raise table.wrong("endpoint", "https, because plain http is for this machine only (127.0.0.1)")
    return value


def _authority(table: Table) -> str:
    expected = "the https address of a login authority, e.g. https://login.microsoftonline.us"
    value = table.text("authority").rstrip("/")
    if not value:
        return ""
    value = value if "://" in value else f"https://{value}"
    if _split(table, "authority", value, expected).scheme != "https":
        raise table.wrong("authority", expected)
    return value


def _split(table: Table, key: str, value: str, expected: str) -> SplitResult:
    """The parts of an address that is nothing but scheme, host and port."""
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise table.wrong(key, expected) from error
    if parts.username is not None or parts.password is not None:
        # Not `wrong`: it would print the password.
        raise SettingsError(f"{table.path}: azure.{key}: expected no user or password in the address")
    if not host or parts.path or parts.query or parts.fragment or any(char.isspace() for char in value):
        raise table.wrong(key, expected)
    return parts


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _window(table: Table, default: float) -> float:
    if not table.has("activity_window"):
        table.text("activity_window")  # so that it counts as known
        return default
    match = re.fullmatch(_SPAN, table.text("activity_window"))
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0.0
    if not 600.0 <= seconds <= _LONGEST:
        raise table.wrong("activity_window", 'a time from "10m" to "14d", e.g. "2h"')
    return seconds

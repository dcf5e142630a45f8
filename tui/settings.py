"""The settings file: TOML, all of it optional, checked whole before anything is started.

No secret is ever in it: a header's value names an environment variable (``env:NAME``). Every field is
described in ``docs/config.example.toml``.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct, field
from msgspec.structs import replace

from tui import paths
from tui.azure_settings import AzureSettings, azure_settings
from tui.sql_settings import SqlSettings, sql_settings
from tui.toml_table import SettingsError, Table, read

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "THEMES",
    "AzureSettings",
    "ClusterSettings",
    "ConsoleSettings",
    "EndpointSettings",
    "GitSettings",
    "ProbeSettings",
    "RunbookSettings",
    "Settings",
    "SettingsError",
    "TimelineSettings",
    "ToolSettings",
]

OUR_THEMES = ("warroom", "warroom-light", "warroom-high-contrast")
# Named here because importing textual to check a name would cost every shell command 200 ms.
TEXTUAL_THEMES = (
    "textual-dark",
    "textual-light",
    "nord",
    "gruvbox",
    "catppuccin-mocha",
    "dracula",
    "tokyo-night",
    "monokai",
    "flexoki",
    "catppuccin-latte",
    "catppuccin-frappe",
    "catppuccin-macchiato",
    "solarized-light",
    "solarized-dark",
    "rose-pine",
    "rose-pine-moon",
    "rose-pine-dawn",
    "atom-one-dark",
    "atom-one-light",
    "ansi-dark",
    "ansi-light",
)
THEMES = OUR_THEMES + TEXTUAL_THEMES
CLOCKS = ("utc", "local")
ALL_NAMESPACES = ("*",)

_ENV = "env:"
_SECRET_HEADERS = ("authorization", "cookie", "token", "secret", "password", "api-key", "apikey", "x-functions-key")
_NOTHING: Mapping[str, str] = MappingProxyType({})


class ClusterSettings(Struct, frozen=True):
    """Where to look. Flags of the command line win over these."""

    kubeconfig: str = ""  # empty: KUBECONFIG, then ~/.kube/config
    context: str = ""  # empty: the kubeconfig's current one
    namespaces: tuple[str, ...] = ()  # empty: the context's; ("*",): all
    production: tuple[str, ...] = ("*prod*",)


class EndpointSettings(Struct, frozen=True):
    """One HTTP health endpoint. ``headers`` are as written; `resolved_headers` reads the environment."""

    url: str
    name: str
    expect_status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    ca_file: str | None = None

    def resolved_headers(self, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The headers to send. One whose variable is not set is left out; see `missing_variables`."""
        resolved: dict[str, str] = {}
        for name, value in self.headers.items():
            if not value.startswith(_ENV):
                resolved[name] = value
            elif variable := environ.get(value.removeprefix(_ENV)):
                resolved[name] = variable
        return resolved

    def missing_variables(self, environ: Mapping[str, str] = os.environ) -> list[str]:
        """The environment variables that headers name and that are not set."""
        names = [value.removeprefix(_ENV) for value in self.headers.values() if value.startswith(_ENV)]
        return [name for name in names if not environ.get(name)]


class ProbeSettings(Struct, frozen=True):
    """How often the polled sources are asked, in seconds."""

    endpoint_interval: float = 5.0
    endpoint_timeout: float = 5.0
    metrics_interval: float = 15.0


class GitSettings(Struct, frozen=True):
    """The checkout whose recent commits are shown; empty means none. ``since`` is git's own wording."""

    checkout: str = ""
    since: str = "2 hours ago"


class TimelineSettings(Struct, frozen=True):
    """Who writes, and where it is kept. Empty: the login name, and `tui.paths.store_file`."""

    author: str = ""
    store: str = ""


class ToolSettings(Struct, frozen=True):
    """Programs that mitigations run, each with its first arguments; empty: the one on PATH."""

    helm: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether the program is on this machine: a drill's settings may come from another."""
        return bool(self.helm) and ("/" not in self.helm[0] or Path(self.helm[0]).exists())


class RunbookSettings(Struct, frozen=True):
    """How this platform wants its mitigations: a path, or the name of a file that ships; empty: what suits any."""

    file: str = ""


class ConsoleSettings(Struct, frozen=True):
    theme: str = "warroom"
    clock: str = "utc"


class Settings(Struct, frozen=True):
    """Everything the file says, with its defaults. ``path`` is the file, None when there is none."""

    path: Path | None = None
    cluster: ClusterSettings = field(default_factory=ClusterSettings)
    endpoints: tuple[EndpointSettings, ...] = ()
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    git: GitSettings = field(default_factory=GitSettings)
    timeline: TimelineSettings = field(default_factory=TimelineSettings)
    tools: ToolSettings = field(default_factory=ToolSettings)
    runbook: RunbookSettings = field(default_factory=RunbookSettings)
    azure: AzureSettings = field(default_factory=AzureSettings)
    sql: SqlSettings = field(default_factory=SqlSettings)
    console: ConsoleSettings = field(default_factory=ConsoleSettings)
    keys: Mapping[str, str] = field(default_factory=lambda: _NOTHING)  # binding id → key

    @classmethod
    def load(cls, path: Path | None = None) -> Settings:
        """Read ``path``, or the default file if it exists. Raises SettingsError; a named file must exist."""
        if path is None:
            path = paths.settings_file()
            if not path.exists():
                return cls()
        return _settings(read(path.expanduser()))

    def with_platform(self, platform: Settings, context: str = "") -> Settings:
        """These settings, looking where ``platform`` says: a drill keeps its user's theme, keys, author, helm.

        ``context`` is the platform's unless another is named.
        """
        cluster = platform.cluster
        return replace(
            platform,
            cluster=replace(cluster, context=context) if context else cluster,
            console=self.console,
            keys=self.keys,
            tools=platform.tools if platform.tools.there and not self.tools.helm else self.tools,
            timeline=TimelineSettings(
                author=self.timeline.author or platform.timeline.author,
                store=self.timeline.store or platform.timeline.store,
            ),
        )

    @property
    def author(self) -> str:
        """Who writes on the timeline when nobody is named: the setting, or the login name."""
        if self.timeline.author:
            return self.timeline.author
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a container's user without a name
            return f"uid-{os.getuid()}"

    @property
    def store(self) -> Path:
        return Path(self.timeline.store) if self.timeline.store else paths.store_file()

    def missing_variables(self) -> list[str]:
        """One sentence per environment variable that an endpoint's header needs and that is not set."""
        return [
            f"endpoint {endpoint.name}: the environment variable {name} is not set, its header is not sent"
            for endpoint in self.endpoints
            for name in endpoint.missing_variables()
        ]


def _settings(file: Table) -> Settings:
    cluster, probes, git = file.table("cluster"), file.table("probes"), file.table("git")
    timeline, console, tools = file.table("timeline"), file.table("console"), file.table("tools")
    runbook, azure, sql = file.table("runbook"), file.table("azure"), file.table("sql")
    in_azure = azure_settings(azure)
    settings = Settings(
        path=file.path,
        cluster=ClusterSettings(
            kubeconfig=cluster.file("kubeconfig"),
            context=cluster.text("context"),
            namespaces=_namespaces(cluster),
            production=cluster.texts("production", ClusterSettings().production),
        ),
        endpoints=_endpoints(file),
        probes=ProbeSettings(
            endpoint_interval=probes.seconds("endpoint_interval", 5.0, low=0.1, high=3600),
            endpoint_timeout=probes.seconds("endpoint_timeout", 5.0, low=0.1, high=60),
            metrics_interval=probes.seconds("metrics_interval", 15.0, low=0.5, high=3600),
        ),
        git=GitSettings(
            checkout=git.file("checkout"),
            since=_since(git),
        ),
        timeline=TimelineSettings(author=timeline.text("author").strip(), store=timeline.file("store")),
        tools=ToolSettings(helm=_command(tools, "helm")),
        runbook=RunbookSettings(file=_runbook(runbook)),
        azure=in_azure,
        sql=sql_settings(sql, in_azure.configured),
        console=ConsoleSettings(
            theme=console.choice("theme", "warroom", THEMES),
            clock=console.choice("clock", "utc", CLOCKS),
        ),
        keys=MappingProxyType(file.table("keys").rest()),
    )
    for table in (cluster, probes, git, timeline, tools, runbook, azure, sql, console, file):
        table.done()
    return settings


def _command(table: Table, key: str) -> tuple[str, ...]:
    """A program and its arguments; one without a slash is looked up on PATH, others are as `Table.file` has it."""
    command = table.command(key)
    if not command or ("/" not in command[0] and not command[0].startswith("~")):
        return command
    try:
        return (str((table.path.parent / Path(command[0]).expanduser()).absolute()), *command[1:])
    except RuntimeError as error:
        raise table.wrong(key, "a program") from error


def _runbook(table: Table) -> str:
    """A bare word is the name of a runbook that ships, all else a path."""
    value = table.text("file")
    return value if value.replace("-", "").isalnum() else table.file("file")


def _since(table: Table) -> str:
    since = table.text("since", GitSettings().since)
    if table.has("since"):
        from probes.commits import check_since
        from probes.errors import ConfigError

        try:
            check_since(since)
        except ConfigError as error:
            raise table.wrong("since", 'a time like "2 hours ago", "yesterday" or "2026-11-23 14:00"') from error
    return since


def _namespaces(table: Table) -> tuple[str, ...]:
    names = table.texts("namespaces")
    if "*" in names and names != ALL_NAMESPACES:
        raise table.wrong("namespaces", 'either ["*"] for all or a list of names')
    return tuple(dict.fromkeys(names))


def _endpoints(file: Table) -> tuple[EndpointSettings, ...]:
    seen: dict[str, str] = {}
    endpoints: list[EndpointSettings] = []
    for table in file.tables("endpoints"):
        url = _url(table)
        endpoint = EndpointSettings(
            url=url,
            name=table.text("name") or url.split("://", 1)[1],
            expect_status=table.integer("expect_status", 200, low=100, high=599),
            headers=MappingProxyType(_headers(table)),
            ca_file=table.file("ca_file") or None,
        )
        table.done()
        for key, value in (("url", endpoint.url), ("name", endpoint.name)):
            if (first := seen.setdefault(f"{key} {value}", table.name)) != table.name:
                raise SettingsError(f"{file.path}: {table.name}.{key}: {value} is already the {key} of {first}")
        endpoints.append(endpoint)
    return tuple(endpoints)


def _url(table: Table) -> str:
    expected = "a URL like https://api.example.com/health"
    if not table.has("url"):
        raise SettingsError(f"{table.path}: {table.name}.url: missing, expected {expected}")
    url = table.text("url")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise table.wrong("url", expected) from error
    if parts.scheme not in ("http", "https") or not host or any(char.isspace() for char in url):
        raise table.wrong("url", expected)
    if parts.username is not None or parts.password is not None:
        # Not `wrong`: it would print the password.
        raise SettingsError(
            f'{table.path}: {table.name}.url: expected no user or password in the URL; use headers with "env:NAME"'
        )
    return url


def _headers(table: Table) -> dict[str, str]:
    headers = table.pairs("headers")
    for name, value in headers.items():
        if value == _ENV:
            raise SettingsError(f'{table.path}: {table.name}.headers.{name}: expected "env:NAME", found no name')
        if not value.startswith(_ENV) and any(word in name.lower() for word in _SECRET_HEADERS):
            raise SettingsError(
                f'{table.path}: {table.name}.headers.{name}: expected "env:NAME", '
                "because a secret does not belong in this file"
            )
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum() or "\n" in value:
            raise table.wrong("headers", "header names of letters, digits and dashes")
    return headers

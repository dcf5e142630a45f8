"""Finds, merges and reads kubeconfig files: which cluster, user and namespace a context means.

Only files are read here. `probes.credentials` turns the result into a connection.
The rules are those of client-go (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/):
an explicit path wins, then ``KUBECONFIG`` (several files, the first to name a thing wins), then ``~/.kube/config``,
then the service account of the pod we run in.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from probes.errors import ConfigError, NoKubeconfig, NoSuchContext

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Keys whose value is a path relative to the file that holds them.
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")


class ContextInfo(Struct, frozen=True):
    """One context of the merged kubeconfig; ``namespace`` is empty when the context names none."""

    name: str
    cluster: str
    user: str
    namespace: str
    current: bool


class Selection(Struct, frozen=True):
    """What one context means. ``cluster`` and ``user`` are the kubeconfig's own entries with absolute paths."""

    context: str
    namespace: str
    user_name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    source: str  # the files it came from, for messages
    directory: str = ""  # of the file that holds the user entry: plugin commands are relative to it

    @property
    def server(self) -> str:
        return str(self.cluster["server"]).rstrip("/")


class _Merged(Struct):
    files: list[Path]
    current: str = ""
    contexts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    clusters: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    users: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    user_directories: dict[str, str] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return ", ".join(str(path) for path in self.files)


def contexts(kubeconfig: str | None = None) -> list[ContextInfo]:
    """The contexts that can be chosen, in the order of the files. Raises `ConfigError`."""
    merged = _merge(find(kubeconfig))
    return [
        ContextInfo(
            name=name,
            cluster=_text(entry.get("cluster")),
            user=_text(entry.get("user")),
            namespace=_text(entry.get("namespace")),
            current=name == merged.current,
        )
        for name, entry in merged.contexts.items()
    ]


def select(kubeconfig: str | None = None, context: str | None = None) -> Selection:
    """Read the files and resolve one context (default: the current one). Raises `ConfigError`."""
    try:
        files = find(kubeconfig)
    except NoKubeconfig:
        inside = in_cluster() if kubeconfig is None and context is None else None
        if inside is None:
            raise
        return inside
    merged = _merge(files)
    name = context or merged.current
    if not name:
        raise NoSuchContext(
            f"{merged.source} names no current context", hint=f"choose one with --context: {_listing(merged.contexts)}"
        )
    entry = merged.contexts.get(name)
    if entry is None:
        raise NoSuchContext(
            f"there is no context {name!r} in {merged.source}", hint=f"known contexts: {_listing(merged.contexts)}"
        )
    cluster_name, user_name = _text(entry.get("cluster")), _text(entry.get("user"))
    cluster = merged.clusters.get(cluster_name)
    if cluster is None:
        raise ConfigError(
            f"context {name!r} refers to cluster {cluster_name!r}, which {merged.source} does not define",
            hint=f"known clusters: {_listing(merged.clusters)}",
        )
    if user_name and user_name not in merged.users:
        raise ConfigError(
            f"context {name!r} refers to user {user_name!r}, which {merged.source} does not define",
            hint=f"known users: {_listing(merged.users)}",
        )
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("http://", "https://")):
        raise ConfigError(f"cluster {cluster_name!r} in {merged.source} has no server URL (https://…)")
    return Selection(
        context=name,
        namespace=_text(entry.get("namespace")) or "default",
        user_name=user_name,
        cluster=cluster,
        user=merged.users.get(user_name, {}),
        source=merged.source,
        directory=merged.user_directories.get(user_name, ""),
    )


def find(kubeconfig: str | None = None, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The files to read, all of them there. Raises `NoKubeconfig` naming where it looked."""
    if kubeconfig:
        path = Path(kubeconfig).expanduser()
        if not path.is_file():
            raise NoKubeconfig(f"there is no kubeconfig at {path}")
        return [path]
    listed = environ.get("KUBECONFIG", "")
    if listed:
        # Like kubectl, a missing file of several is skipped.
        candidates = list(dict.fromkeys(Path(part).expanduser() for part in listed.split(os.pathsep) if part))
        where = f"KUBECONFIG={listed}"
    else:
        candidates = [Path("~/.kube/config").expanduser()]
        where = str(candidates[0])
    found = [path for path in candidates if path.is_file()]
    if not found:
        raise NoKubeconfig(
            f"there is no kubeconfig: looked at {where}",
            hint="set KUBECONFIG, pass --kubeconfig FILE, or see a platform without a cluster: warroom drill",
        )
    return found


def in_cluster(environ: Mapping[str, str] = os.environ, account: Path = SERVICE_ACCOUNT) -> Selection | None:
    """The service account of the pod this runs in, or None outside a cluster."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = account / "token"
    if not host or not token.is_file():
        return None
    namespace = account / "namespace"
    if ":" in host:
        host = f"[{host}]"
    return Selection(
        context="in-cluster",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        user_name="service account",
        cluster={"server": f"https://{host}:{port}", "certificate-authority": str(account / "ca.crt")},
        user={"tokenFile": str(token)},
        source=str(account),
    )


def _merge(files: list[Path]) -> _Merged:
    merged = _Merged(files)
    for path in files:
        config = _read(path)
        merged.current = merged.current or _text(config.get("current-context"))
        base = path.parent.absolute()
        for name, entry in _named(config, "contexts", "context", path):
            merged.contexts.setdefault(name, entry)
        for name, entry in _named(config, "clusters", "cluster", path):
            merged.clusters.setdefault(name, _absolute(entry, _CLUSTER_PATHS, base))
        for name, entry in _named(config, "users", "user", path):
            if name not in merged.users:
                merged.users[name] = _absolute(entry, _USER_PATHS, base)
                merged.user_directories[name] = str(base)
    return merged


def _read(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the kubeconfig {path} cannot be read: {error}") from error
    with contextlib.suppress(msgspec.DecodeError):
        # JSON is YAML, and what programs write is often JSON: yaml takes 12 ms to import.
        config = msgspec.json.decode(text)
        if isinstance(config, dict):
            return config
    import yaml

    try:
        config = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark else ""
        raise ConfigError(f"the kubeconfig {path} is not YAML{where}") from error
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is not a kubeconfig: expected a mapping with clusters, contexts and users")
    return config


def _named(
    config: Mapping[str, Any], plural: str, singular: str, path: Path
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    items = config.get(plural) or []
    if not isinstance(items, list):
        raise ConfigError(f"{path} is not a kubeconfig: {plural} must be a list")
    for item in items:
        if not isinstance(item, dict) or not item.get("name"):
            raise ConfigError(f"{path} is not a kubeconfig: every entry of {plural} needs a name")
        entry = item.get(singular) or {}
        if not isinstance(entry, dict):
            raise ConfigError(f"{path} is not a kubeconfig: {plural} {item['name']!r} must hold a mapping {singular}")
        yield str(item["name"]), entry


def _absolute(entry: Mapping[str, Any], keys: Iterable[str], base: Path) -> Mapping[str, Any]:
    return {key: str(base / str(value)) if key in keys and value else value for key, value in entry.items()}


def _listing(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _text(value: object) -> str:
    return "" if value is None else str(value)

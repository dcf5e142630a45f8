"""What stands in for `helm` in a drill on a machine that has none: ``python -m drill.helm_standin rollback …``.

It knows the few commands that the console calls, as the real one answers them, carries a rollback out by real requests,
and works on nothing but a drill's platform. No charts, no hooks.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from drill import helm
from drill.loopback import Loopback, NotADrill, Refused, connect

Json = dict[str, Any]

VERSION: Final = "v4.0.0+drill"
_HISTORY: Final = 10
_MERGE: Final = "application/merge-patch+json"
_LOOK: Final = 0.2  # seconds
_NOT_FOUND: Final = 404
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


class Failed(Exception):
    """What helm would print behind ``Error: ``."""


# ---------------------------------------------------------------- the Secrets


class Releases:
    """The stored revisions of one release."""

    def __init__(self, platform: Loopback, namespace: str, name: str) -> None:
        self.name = name
        self._platform = platform
        self._path = f"/api/v1/namespaces/{namespace}/secrets"

    def all(self) -> list[Json]:
        """The Secrets, oldest revision first. Raises `Failed` when there is none."""
        query = {"labelSelector": f"owner=helm,name={self.name}"}
        found = self._platform.call("GET", self._path, query=query).get("items") or []
        if not found:
            raise Failed("release: not found")
        return sorted(found, key=_number)

    def create(self, release: Json) -> None:
        self._platform.call("POST", self._path, helm.secret(release, time.time()))

    def set(self, release: Json, status: str, description: str = "") -> None:
        """Give a revision another status."""
        release["info"]["status"] = status
        if description:
            release["info"]["description"] = description
        secret = helm.secret(release, time.time())
        self._platform.call("PUT", f"{self._path}/{secret['metadata']['name']}", secret)

    def drop(self, secret: Json) -> None:
        self._platform.call("DELETE", f"{self._path}/{secret['metadata']['name']}")


def _number(secret: Json) -> int:
    return int(secret["metadata"]["labels"]["version"])


def _release(secret: Json) -> Json:
    return helm.decode(secret["data"]["release"])


# ---------------------------------------------------------------- rollback


def rollback(platform: Loopback, namespace: str, name: str, revision: int, *, wait: bool, timeout: float) -> str:
    """What ``helm rollback`` does and says. Raises `Failed`."""
    releases = Releases(platform, namespace, name)
    secrets = releases.all()
    current = _release(secrets[-1])
    revision = revision or current["version"] - 1
    found = [secret for secret in secrets if _number(secret) == revision]
    if not found:
        raise Failed(f"release has no {revision} version")
    for secret in [one for one in secrets if one["metadata"]["labels"]["status"] != helm.DEPLOYED]:
        if len(secrets) < _HISTORY:
            break
        releases.drop(secret)
        secrets.remove(secret)
    new = _release(found[0])
    new["version"] = current["version"] + 1
    new["info"] = {
        **new["info"],
        "first_deployed": current["info"]["first_deployed"],
        "last_deployed": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "status": "pending-rollback",
        "description": f"Rollback to {revision}",
    }
    releases.create(new)
    try:
        objects = _apply(platform, namespace, current["manifest"], new["manifest"])
    except (Refused, OSError) as error:
        releases.set(current, helm.SUPERSEDED)
        releases.set(new, helm.FAILED, f'Rollback "{name}" failed: {error}')
        raise Failed(str(error)) from error
    if wait and not _settled(platform, objects, timeout):
        releases.set(new, helm.FAILED, f'Release "{name}" failed: context deadline exceeded')
        raise Failed(f"release {name} failed: context deadline exceeded")
    for secret in releases.all():
        if secret["metadata"]["labels"]["status"] == helm.DEPLOYED:
            releases.set(_release(secret), helm.SUPERSEDED)
    releases.set(new, helm.DEPLOYED)
    return "Rollback was a success! Happy Helming!"


def _apply(platform: Loopback, namespace: str, before: str, after: str) -> dict[str, Json]:
    """Bring the cluster from one manifest to another; the second one's objects by their path."""
    old, new = _objects(before, namespace), _objects(after, namespace)
    for path, obj in new.items():
        try:
            live = platform.call("GET", path)
        except Refused as refusal:
            if refusal.code != _NOT_FOUND:
                raise
            platform.call("POST", path.rpartition("/")[0], obj)
            continue
        patch = _merge(old.get(path, {}), obj, live)
        if patch:
            platform.call("PATCH", path, patch, query={"fieldManager": "helm"}, media=_MERGE)
    for path in old.keys() - new.keys():
        try:
            platform.call("DELETE", path)
        except Refused as refusal:
            if refusal.code != _NOT_FOUND:
                raise
    return new


def _objects(manifest: str, namespace: str) -> dict[str, Json]:
    import yaml

    from drill import kinds

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = {}
    for obj in yaml.load_all(manifest, Loader=loader):
        if not obj:
            continue
        group = obj["apiVersion"].rpartition("/")[0]
        kind = next(one for one in kinds.KINDS if (one.kind, one.group) == (obj["kind"], group))
        prefix = f"/apis/{obj['apiVersion']}" if group else f"/api/{obj['apiVersion']}"
        within = f"/namespaces/{obj['metadata'].get('namespace') or namespace}" if kind.namespaced else ""
        found[f"{prefix}{within}/{kind.plural}/{obj['metadata']['name']}"] = obj
    return found


def _merge(before: Json, after: Json, live: Json) -> Json:
    """A merge patch that sets what ``after`` wants, and removes what only ``before`` had."""
    patch: Json = {}
    for key, value in after.items():
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            old = before.get(key)
            inner = _merge(old if isinstance(old, dict) else {}, value, live[key])
            if inner:
                patch[key] = inner
        elif not _within(value, live.get(key)) or value != before.get(key, value):
            patch[key] = value
    for key in before.keys() - after.keys():
        if key in live:
            patch[key] = None
    return patch


def _within(wanted: Any, live: Any) -> bool:
    """Whether what is there has all that is wanted; what the server filled in beside it does not matter."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and _within(value, live[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_within, wanted, live))
    return bool(wanted == live)


def _settled(platform: Loopback, objects: dict[str, Json], timeout: float) -> bool:
    """Wait until every workload is as it should be; False when the time is up."""
    until = time.monotonic() + timeout
    waiting = [path for path, obj in objects.items() if obj["kind"] in ("Deployment", "StatefulSet", "DaemonSet")]
    while True:
        waiting = [path for path in waiting if not _ready(platform.call("GET", path))]
        if not waiting:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK)


def _ready(workload: Json) -> bool:
    status = workload.get("status") or {}
    if status.get("observedGeneration", 0) < workload["metadata"].get("generation", 0):
        return False
    if workload["kind"] == "DaemonSet":
        return bool(status.get("numberReady", 0) >= status.get("desiredNumberScheduled", 0))
    wanted = workload["spec"].get("replicas", 1)
    counted = ("readyReplicas", "updatedReplicas") if workload["kind"] == "Deployment" else ("readyReplicas",)
    return all(status.get(name, 0) >= wanted for name in counted)


# ---------------------------------------------------------------- what else is asked


def history(releases: Releases) -> list[Json]:
    """As ``helm history -o json``."""
    rows = []
    for release in map(_release, releases.all()):
        info, chart = release["info"], release["chart"]["metadata"]
        rows.append(
            {
                "revision": release["version"],
                "updated": info["last_deployed"],
                "status": info["status"],
                "chart": f"{chart['name']}-{chart['version']}",
                "app_version": chart["appVersion"],
                "description": info["description"],
            }
        )
    return rows


def _answer(args: argparse.Namespace) -> str:
    if args.command == "version":
        return VERSION
    platform = connect(args.kubeconfig, args.kube_context)
    namespace = args.namespace or platform.namespace
    if args.command == "rollback":
        timeout = _seconds(args.timeout)
        return rollback(platform, namespace, args.release, args.revision, wait=bool(args.wait), timeout=timeout)
    releases = Releases(platform, namespace, args.release)
    if args.command == "get":
        return str(_release(releases.all()[-1])["manifest"])
    rows = history(releases)[-1:] if args.command == "status" else history(releases)
    if args.output == "json":
        return json.dumps(rows)
    return "\n".join("\t".join(map(str, line)) for line in (map(str.upper, rows[0]), *(row.values() for row in rows)))


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise Failed(f'invalid argument "{text}" for "--timeout" flag')
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("-n", "--namespace", default="")
    shared.add_argument("--kubeconfig", default="")
    shared.add_argument("--kube-context", default="")
    shared.add_argument("-o", "--output", default="table")
    parser = argparse.ArgumentParser(
        prog="python -m drill.helm_standin", description="Stands in for helm, on a drill's platform only."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    version = commands.add_parser("version")
    version.add_argument("--template", default="")
    back = commands.add_parser("rollback", parents=[shared])
    back.add_argument("release")
    back.add_argument("revision", type=int, nargs="?", default=0)
    back.add_argument("--wait", nargs="?", const="watcher", default="")
    back.add_argument("--timeout", default="5m0s")
    back.add_argument("--force-conflicts", action="store_true")
    for name in ("history", "status"):
        commands.add_parser(name, parents=[shared]).add_argument("release")
    get = commands.add_parser("get", parents=[shared])
    get.add_argument("what", choices=["manifest"])
    get.add_argument("release")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    try:
        print(_answer(args))
    except NotADrill as error:
        print(f"Error: this is no helm, it only stands in for it in a drill: {error}", file=sys.stderr)
        return 1
    except (Failed, Refused, OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

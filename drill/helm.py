"""Helm 3 and 4 release Secrets, in the encoding that the real `helm` reads and writes.

Source: helm/helm pkg/storage/driver/{secrets,util}.go. A revision is one Secret; its payload is JSON, compressed with
gzip, in base64 — and once more in base64, because every Secret's data is.
"""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from typing import Any, Final

Json = dict[str, Any]

SECRET_TYPE: Final = "helm.sh/release.v1"  # noqa: S105 (the type of a Secret, not one)
_GZIP_MAGIC: Final = b"\x1f\x8b\x08"

DEPLOYED: Final = "deployed"
SUPERSEDED: Final = "superseded"
FAILED: Final = "failed"
PENDING_UPGRADE: Final = "pending-upgrade"


def secret_name(release: str, revision: int) -> str:
    return f"sh.helm.release.v1.{release}.v{revision}"


def encode(release: Json) -> str:
    """A release as it stands in a Secret's ``data.release``."""
    packed = gzip.compress(json.dumps(release, separators=(",", ":")).encode(), compresslevel=6, mtime=0)
    return base64.b64encode(base64.b64encode(packed)).decode()


def decode(text: str) -> Json:
    """The release out of a Secret's ``data.release``. Raises ValueError for anything else."""
    raw = base64.b64decode(base64.b64decode(text, validate=True), validate=True)
    if raw.startswith(_GZIP_MAGIC):
        raw = gzip.decompress(raw)
    release = json.loads(raw)
    if not isinstance(release, dict) or "name" not in release:
        raise ValueError("not a Helm release")
    return release


def release(
    *,
    name: str,
    namespace: str,
    revision: int,
    chart: Json,
    config: Json,
    manifest: str,
    status: str,
    description: str,
    first_deployed: float,
    last_deployed: float,
    notes: str = "",
) -> Json:
    """One revision as Helm keeps it; instants are seconds since the epoch, ``chart`` comes of `chart_of`."""
    return {
        "name": name,
        "info": {
            "first_deployed": _instant(first_deployed),
            "last_deployed": _instant(last_deployed),
            "deleted": "",
            "description": description,
            "status": status,
            "notes": notes,
        },
        "chart": chart,
        "config": config,
        "manifest": manifest,
        "version": revision,
        "namespace": namespace,
    }


def chart_of(name: str, version: str, app_version: str, *, values: Json, templates: dict[str, str]) -> Json:
    """A chart as it is packed into a release: its metadata, default values and template sources."""
    return {
        "metadata": {
            "name": name,
            "version": version,
            "appVersion": app_version,
            "description": "The banking platform: accounts, transactions, payments and what surrounds them",
            "apiVersion": "v2",
            "type": "application",
        },
        "lock": None,
        "templates": [
            {"name": f"templates/{file}", "data": base64.b64encode(text.encode()).decode()}
            for file, text in templates.items()
        ],
        "values": values,
        "schema": None,
        "files": [],
    }


def secret(release: Json, modified_at: float) -> Json:
    """The Secret that holds one revision."""
    name, revision = release["name"], release["version"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(name, revision),
            "namespace": release["namespace"],
            "labels": {
                "modifiedAt": str(int(modified_at)),
                "name": name,
                "owner": "helm",
                "status": release["info"]["status"],
                "version": str(revision),
            },
        },
        "type": SECRET_TYPE,
        "data": {"release": encode(release)},
    }


def with_status(held: Json, status: str, modified_at: float) -> Json:
    """A release's Secret after its status changed, as when a newer revision supersedes it."""
    kept = decode(held["data"]["release"])
    kept["info"]["status"] = status
    renewed = secret(kept, modified_at)
    labels = {**held["metadata"]["labels"], **renewed["metadata"]["labels"]}
    return {**held, "metadata": {**held["metadata"], "labels": labels}, "data": renewed["data"]}


def parse_instant(text: str) -> float:
    """Seconds since the epoch of one of a release's instants."""
    return datetime.fromisoformat(text).timestamp()


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

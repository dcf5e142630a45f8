"""What tests of rollbacks do to a release behind everybody's back: upgrade it, make it pending, break a Secret."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drill import helm
from runbook.plan import Aim
from tests.drill.mitigation_desk import PROD, Desk, Json

STANDIN = (sys.executable, "-P", "-m", "drill.helm_standin")
RELEASE = PROD  # it is called as its namespace is


def aim(revision: int = 0) -> Aim:
    """What a row of the changes pane means."""
    return Aim(kind="Release", namespace=PROD, name=RELEASE, revision=revision)


def secret_of(at: Desk, revision: int) -> Json:
    return at.get("secrets", helm.secret_name(RELEASE, revision))


def release_of(at: Desk, revision: int) -> Json:
    return helm.decode(secret_of(at, revision)["data"]["release"])


def statuses(at: Desk) -> dict[int, str]:
    """Revision → Helm's word for it, by the labels."""
    labels = [one["metadata"]["labels"] for one in at.all("secrets") if one.get("type") == helm.SECRET_TYPE]
    return {int(one["version"]): one["status"] for one in sorted(labels, key=lambda one: int(one["version"]))}


def write(at: Desk, release: Json) -> None:
    """Store a revision, a new one or one that is there."""
    at.put("secrets", helm.secret(release, at.running.platform.clock.wall()), manager="Helm")


def rewrite(at: Desk, revision: int, **changes: Any) -> None:
    """Change what a stored revision says; a function gets what was there."""
    held = release_of(at, revision)
    write(
        at, {**held, **{key: change(held.get(key)) if callable(change) else change for key, change in changes.items()}}
    )


def upgrade(at: Desk, *, status: str = helm.DEPLOYED, description: str = "Upgrade complete", **changes: Any) -> int:
    """Somebody's helm makes another revision, with the newest one's content unless ``changes`` say otherwise."""
    number = max(statuses(at))
    if status == helm.DEPLOYED:
        rewrite(at, number, info=with_status(helm.SUPERSEDED))
    newest = release_of(at, number)
    info = {**newest["info"], "status": status, "description": description}
    write(at, {**newest, "version": number + 1, "info": info, **changes})
    return number + 1


def with_status(status: str) -> Callable[[Json], Json]:
    return lambda info: {**info, "status": status}


def a_helm(path: Path, *, rollback: str, version: str = "v4.2.4") -> tuple[str, ...]:
    """A program that says which helm it is, and for anything else runs these lines of shell."""
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = version ]; then echo {version}; exit 0; fi\n{rollback}\n', encoding="utf-8"
    )
    path.chmod(0o700)
    return (str(path),)

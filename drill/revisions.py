"""The Helm history of the platform's release, as Helm keeps it: a Secret for each revision."""

from __future__ import annotations

from typing import Any

from drill import helm
from drill.chart import Chart, Config
from drill.script import Upgrade
from drill.world import SECRET, World

Json = dict[str, Any]


class Revisions:
    """Writes revisions of ``chart`` into the world. What each consists of is returned for somebody to apply."""

    def __init__(self, chart: Chart, world: World) -> None:
        self._chart = chart
        self._world = world
        self._written: dict[int, Json] = {}  # the releases, as encoded into their Secrets, by revision
        self._tags: dict[str, str] = {}
        self._config: Config = {}
        self._configs: dict[int, Config] = {}  # of each revision

    def upgrade(self, step: Upgrade) -> list[Json]:
        """A new revision with the tags of a step; the objects of the release from now on."""
        self._tags = {**self._tags, **step.tags}
        changed = {name: {**self._config.get(name, {}), **data} for name, data in step.config.items()}
        self._config = {**self._config, **changed}
        if step.pending:
            return self._write(step.chart, step.app or step.chart, helm.PENDING_UPGRADE, "Preparing upgrade")
        status = helm.FAILED if step.failed else helm.DEPLOYED
        return self._write(step.chart, step.app or step.chart, status, step.description)

    def roll_back(self, to: int) -> list[Json]:
        """A new revision like an old one of ours. Raises LookupError for one that somebody else's helm has made."""
        if to not in self._written:
            raise LookupError(f"revision {to} is none of the script's")
        target = self._written[to]
        meta = target["chart"]["metadata"]
        self._tags = {name: values["image"]["tag"] for name, values in target["chart"]["values"].items()}
        self._config = self._configs[to]
        return self._write(meta["version"], meta["appVersion"], helm.DEPLOYED, f"Rollback to {to}")

    def _write(self, version: str, app: str, status: str, description: str) -> list[Json]:
        chart, world = self._chart, self._world
        now, number = world.clock.wall(), self._next()
        packed = helm.chart_of(
            chart.name,
            version,
            app,
            values=chart.values(self._tags),
            templates={f"{service.name}.yaml": '{{- include "service" . }}\n' for service in chart.services},
        )
        first = helm.parse_instant(self._written[1]["info"]["first_deployed"]) if self._written else now
        release = helm.release(
            name=chart.release,
            namespace=chart.namespace,
            revision=number,
            chart=packed,
            config={"release": {"by": "ci-deploy"}},
            manifest=chart.manifest(self._tags, self._config),
            status=status,
            description=description,
            first_deployed=first,
            last_deployed=now,
        )
        if status == helm.DEPLOYED:
            self._supersede(now)
        self._written[number] = release
        self._configs[number] = self._config
        world.create(SECRET, helm.secret(release, now))
        return chart.objects(self._tags, self._config)

    def _next(self) -> int:
        """The number after the newest one; who practises may have rolled back with a helm of their own."""
        return max((int(held["metadata"]["labels"]["version"]) for held in self._secrets()), default=0) + 1

    def _supersede(self, now: float) -> None:
        for held in self._secrets():
            if held["metadata"]["labels"].get("status") == helm.DEPLOYED:
                self._world.store.update(SECRET, helm.with_status(held, helm.SUPERSEDED, now))

    def _secrets(self) -> list[Json]:
        """The revisions that are there, whoever has written them."""
        of = {"owner": "helm", "name": self._chart.release}
        found = self._world.store.list(SECRET, self._chart.namespace)
        labelled = ((held, held["metadata"].get("labels") or {}) for held in found)
        return [
            held for held, labels in labelled if of.items() <= labels.items() and labels.get("version", "").isdecimal()
        ]

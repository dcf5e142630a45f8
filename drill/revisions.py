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
        self._written: list[Json] = []  # the releases, as encoded into their Secrets
        self._tags: dict[str, str] = {}
        self._config: Config = {}
        self._configs: list[Config] = []  # of each revision

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
        """A new revision like an old one."""
        target = self._written[to - 1]
        meta = target["chart"]["metadata"]
        self._tags = {name: values["image"]["tag"] for name, values in target["chart"]["values"].items()}
        self._config = self._configs[to - 1]
        return self._write(meta["version"], meta["appVersion"], helm.DEPLOYED, f"Rollback to {to}")

    def _write(self, version: str, app: str, status: str, description: str) -> list[Json]:
        chart, world = self._chart, self._world
        now, number = world.clock.wall(), len(self._written) + 1
        packed = helm.chart_of(
            chart.name,
            version,
            app,
            values=chart.values(self._tags),
            templates={f"{service.name}.yaml": '{{- include "service" . }}\n' for service in chart.services},
        )
        first = helm.parse_instant(self._written[0]["info"]["first_deployed"]) if self._written else now
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
        self._written.append(release)
        self._configs.append(self._config)
        world.create(SECRET, helm.secret(release, now))
        return chart.objects(self._tags, self._config)

    def _supersede(self, now: float) -> None:
        store, chart = self._world.store, self._chart
        for release in self._written:
            if release["info"]["status"] == helm.DEPLOYED:
                release["info"]["status"] = helm.SUPERSEDED
                held = store.get(SECRET, chart.namespace, helm.secret_name(chart.release, release["version"]))
                if held is not None:
                    store.update(SECRET, helm.with_status(held, helm.SUPERSEDED, now))

"""The console beside a platform that lives: what changes by itself is on the timeline, once, at its own time."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from drill import helm
from drill.fates import ANNOTATION
from drill.kinds import Kind as ObjectKind
from drill.platform import Running, running
from drill.world import DEPLOYMENT, NODE, POD, SECRET
from incident.entry import Kind, Source
from tests.drill.small_scenario import SMALL_FILE
from tests.pilot.console_harness import Console, opened, options_for
from tui.drill_process import DrillProcess
from tui.options import ConsoleOptions
from tui.screens.declare import DeclareScreen
from tui.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
PROD = "banking-platform-prod"
NODE_NAME = "aks-batch-00000"
PATIENCE = 60.0
"""Seconds: a crash loop takes two restarts to be one that goes on."""


@pytest_asyncio.fixture(loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def console(platform: Running, tmp_path: Path) -> AsyncIterator[Console]:
    async with opened(options_for(platform, tmp_path / "warroom.db")) as found:
        await found.declare()
        await found.notes("^payment-service already unhealthy")
        yield found


def get(platform: Running, kind: ObjectKind, namespace: str, name: str) -> Json:
    found = platform.platform.store.get(kind, namespace, name)
    assert found is not None
    return found


def annotate(platform: Running, kind: ObjectKind, obj: Json, fate: str) -> None:
    meta = obj["metadata"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION: fate}
    platform.platform.store.update(kind, {**obj, "metadata": {**meta, "annotations": annotations}})


def set_tag(platform: Running, name: str, tag: str) -> None:
    """What ``kubectl set image`` does."""
    held = get(platform, DEPLOYMENT, PROD, name)
    template = held["spec"]["template"]
    (container,) = template["spec"]["containers"]
    image = f"{container['image'].rpartition(':')[0]}:{tag}"
    spec = {**template["spec"], "containers": [{**container, "image": image}]}
    platform.platform.store.update(
        DEPLOYMENT, {**held, "spec": {**held["spec"], "template": {**template, "spec": spec}}}
    )


def roll_back_release(platform: Running) -> None:
    """What ``helm rollback`` leaves behind: a thirteenth revision like the eleventh."""
    store = platform.platform.store
    old = get(platform, SECRET, PROD, helm.secret_name(PROD, 11))
    release = helm.decode(old["data"]["release"])
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    release["version"] = 13
    release["info"] |= {"status": "deployed", "description": "Rollback to 11", "last_deployed": stamp}
    store.update(SECRET, helm.with_status(get(platform, SECRET, PROD, helm.secret_name(PROD, 12)), "superseded", now))
    store.create(SECRET, helm.secret(release, now))


def card_pod(platform: Running) -> Json:
    pods = platform.platform.store.list(POD, PROD)
    return next(pod for pod in pods if pod["metadata"]["name"].startswith("card-service-"))


async def test_what_goes_wrong_and_right_is_written_by_itself_and_each_once(
    console: Console, platform: Running
) -> None:
    began = time.time() * 1000
    annotate(platform, POD, card_pod(platform), "unready")
    annotate(platform, NODE, get(platform, NODE, "", NODE_NAME), "not-ready")
    set_tag(platform, "statement-render", "1.3.3-crash")
    set_tag(platform, "payment-service", "1.4.0")
    roll_back_release(platform)

    down = await console.notes(rf"^{NODE_NAME} NotReady", PATIENCE)
    release = await console.notes(rf"^helm {PROD} rev 13 deployed", PATIENCE)
    endpoint = await console.notes(r"^api\.banking-platform\.com/health 503 → 200", PATIENCE)
    unready = await console.notes(r"^card-service unhealthy, 3 of 4 ready", PATIENCE)
    crash = await console.notes(r"^statement-render unhealthy", PATIENCE)
    for line, level in ((down, "bad"), (release, "info"), (endpoint, "good"), (crash, "warn")):
        assert (line.entry.source, line.entry.kind, line.entry.level) == (Source.PROBE, Kind.OBSERVATION, level)
    assert "Rollback" in release.text or "rollback to rev 11" in release.text
    for line in (down, release, endpoint, unready, crash):
        assert began - 2000 <= line.happened_at <= time.time() * 1000

    annotate(platform, NODE, get(platform, NODE, "", NODE_NAME), "")
    annotate(platform, POD, card_pod(platform), "ok")
    await console.notes(rf"^{NODE_NAME} Ready again", PATIENCE)
    await console.notes(r"^card-service recovered", PATIENCE)

    # The crash loop goes on, and stays one entry that counts.
    await console.until(lambda: _restarts(console) > 1, "the crash loop folded with a count", PATIENCE)
    texts = [line.text.splitlines()[0] for line in console.timeline if line.entry.source is Source.PROBE]
    assert len(texts) == len(set(texts)), texts
    assert len([text for text in texts if text.startswith("statement-render")]) <= 2
    assert len(texts) < 16


def _restarts(console: Console) -> int:
    return max((line.count for line in console.timeline if line.text.startswith("statement-render")), default=0)


async def test_the_drill_opens_with_its_incident_and_closes_it_when_it_is_left(tmp_path: Path) -> None:
    store = tmp_path / "warroom.db"
    with DrillProcess(str(SMALL_FILE)) as process:
        options = ConsoleOptions(Settings(), None, None, (), store, None, drill=process)
        async with opened(options) as console:
            await console.until(lambda: console.room.journal.recording, "the drill's incident")
            await console.says("Payments failing")
            await console.says("DRILL")
            await console.says("SEV 2")
            await console.notes("^payment-service already unhealthy")
            await console.write("practised")
    with DrillProcess(str(SMALL_FILE)) as process:
        options = ConsoleOptions(Settings(), None, None, (), store, None, drill=process)
        async with opened(options) as console:
            await console.until(lambda: console.room.journal.recording, "another incident")
            incidents = await console.room.journal.incidents()
            assert [incident.open for incident in incidents] == [True, False]
            assert all(incident.drill for incident in incidents)
            assert not console.entry("practised")
        async with opened(replace(options, undeclared=True)) as console:  # who practises declares
            await console.until(lambda: console.room.journal.ready, "the store open")
            await console.says("No incident open")
            assert all(not incident.open for incident in await console.room.journal.incidents())
            await console.press("I")
            await console.on(DeclareScreen)
            await console.typed("Payments fail")
            await console.press("enter", "n", "enter", "enter")
            await console.until(lambda: console.room.journal.recording, "the incident that was declared")
            await console.notes("^payment-service already unhealthy")
            assert console.room.journal.incident is not None
            assert (console.room.journal.incident.drill, console.room.journal.incident.severity) == (True, 2)


async def test_a_pod_that_is_deleted_by_hand_leaves_the_pane_and_its_replacement_comes(
    console: Console, platform: Running
) -> None:
    name = card_pod(platform)["metadata"]["name"]
    await console.press("1", "slash")
    await console.typed("card-service\n")
    await console.press("right")
    platform.platform.store.delete(POD, PROD, name)

    await console.until(lambda: not re.search(name, "\n".join(console.names("pods"))), "the pod gone")
    await console.says("4/4")

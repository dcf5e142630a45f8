"""Other namespaces, other contexts, users who may see little: the old place is never shown as the new one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from drill.platform import Running, running
from incident.entry import Status
from incident.store import Store
from probes.freshness import State
from tests.pilot.console_harness import WIDE, Console, opened, options_for
from tui.screens.choose import ChooseScreen
from tui.settings import ConsoleSettings, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform() -> AsyncIterator[Running]:
    async with running() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "warroom.db"


@pytest_asyncio.fixture(loop_scope="module")
async def console(platform: Running, store: Path) -> AsyncIterator[Console]:
    async with opened(options_for(platform, store)) as found:
        yield found


async def choose(console: Console, key: str, text: str) -> None:
    """Take what the list offers for this text."""
    await console.press(key)
    await console.on(ChooseScreen)
    await console.typed(text)
    await console.press("enter")
    await console.home()


async def until_state(console: Console, pane: str, state: State) -> str:
    """The pane's sentence once it stands so."""
    table = console.table(pane)
    await console.until(lambda: table.freshness.state is state, f"{pane} {state}")
    return table.freshness.detail


async def test_another_namespace_or_all_of_them_or_none_that_exists_is_never_shown_as_the_one_before(
    console: Console,
) -> None:
    await choose(console, "s", "kube-system")
    await console.until(lambda: any("coredns" in name for name in console.names("pods")), "the pods of kube-system")
    assert not any("payment" in name for name in console.names("pods"))
    await console.says("kube-system")
    assert console.room.session.scope_text == "kube-system"
    await console.until(lambda: console.desk.vitals.sick_pods == 0, "none of them sick")

    await choose(console, "s", "all")
    await console.until(
        lambda: all(word in str(console.names("pods")) for word in ("coredns", "payment")), "the pods of both"
    )
    await console.says("all namespaces")
    before = console.room.session.scope_text

    await console.press("s")
    await console.on(ChooseScreen)
    await console.says("banking-platform-prod")
    await console.press("escape")
    await console.home()
    assert console.room.session.scope_text == before

    await choose(console, "s", "no-such-place")
    await console.until(
        lambda: not console.table("pods").freshness.live or "no-such-place" in console.text, "an answer"
    )
    await console.says("no-such-place")
    await console.says("does not exist")
    await console.until(
        lambda: "✓" not in "\n".join(line[:124] for line in console.lines[4:20]), "no empty healthy pane"
    )


async def test_a_user_who_may_not_read_is_told_verb_and_resource_where_it_is_missing_and_sees_nothing_of_the_other(
    console: Console,
) -> None:
    await choose(console, "c", "viewer")
    detail = await until_state(console, "changes", State.FORBIDDEN)
    assert "secrets" in detail
    assert "viewer" in detail
    await until_state(console, "pods", State.LIVE)
    await console.says("FORBIDDEN")
    await console.says("CrashLoopBackOff")
    # The commits are from this machine: they are still there.
    await console.until(lambda: any("payments:" in name for name in console.names("changes")), "the commits")

    await choose(console, "c", "nobody")
    for pane, resource in (("pods", "pods"), ("nodes", "nodes"), ("events", "events")):
        detail = await until_state(console, pane, State.FORBIDDEN)
        assert resource in detail
        assert "list" in detail
        assert "nobody" in detail
        assert console.names(pane) == []
    await console.says("cannot list")
    await console.until(lambda: console.text.count("FORBIDDEN") >= 4, "the refusals of every pane")
    assert "payment-service-" not in console.text
    assert "0 of 0" not in console.text
    await console.until(lambda: "unhealthy" not in "\n".join(console.lines[:3]), "no count where nothing is known")

    # Who may not list namespaces can still type one.
    await console.press("s")
    await console.on(ChooseScreen)
    await console.says("type a name")
    await console.typed("kube-system")
    await console.press("enter")
    await console.home()
    await console.until(
        lambda: "kube-system" in console.table("pods").freshness.detail, "the other namespace's refusal"
    )

    await choose(console, "c", "drill-prod")
    await console.every_pane_live()
    await choose(console, "s", "banking-platform-prod")
    await console.says("✗ payment-service")
    await console.until(lambda: "FORBIDDEN" not in console.text, "no refusal any more")


async def test_an_incident_is_not_told_that_the_other_place_recovered(console: Console) -> None:
    await console.declare()
    await console.notes("payment-service already")
    await choose(console, "s", "kube-system")
    await console.until(lambda: any("coredns" in name for name in console.names("pods")), "the pods of kube-system")
    await choose(console, "s", "banking-platform-prod")
    await console.says("✗ payment-service")

    assert not [line for line in console.timeline if "recovered" in line.text or "healthy again" in line.text]


async def test_an_exercise_that_was_the_last_incident_does_not_call_the_real_place_one(
    platform: Running, store: Path
) -> None:
    async with await Store.open(store) as before:
        drill = await before.declare(title="An exercise", author="trainee", drill=True)
        await before.set_status(drill.id, Status.RESOLVED, "trainee")
    async with opened(options_for(platform, store)) as console:
        await console.says("No incident open")
        assert "DRILL · An exercise" in console.line("No incident open")
        assert "DRILL" not in console.line("PRODUCTION")


async def test_the_settings_choose_zone_theme_and_keys_and_say_what_is_production(
    platform: Running, store: Path
) -> None:
    settings = Settings.load(platform.config)
    settings = replace(
        settings,
        cluster=replace(settings.cluster, production=("nothing",)),
        console=ConsoleSettings(theme="warroom-high-contrast", clock="local"),
        keys={"export": "f9", "logs": "o"},
    )
    async with opened(options_for(platform, store, settings=settings, read_only=True), WIDE) as console:
        await console.says("READ-ONLY")
        assert "PRODUCTION" not in "\n".join(console.lines[:3])
        assert console.app.theme == "warroom-high-contrast"
        assert all(table.local_time for table in console.desk.tables)
        await console.press("f9")
        await console.tells("no incident to export")
        assert "f9 export" in console.lines[-3]


async def test_a_keymap_that_steals_a_key_is_refused_with_one_sentence(platform: Running, store: Path) -> None:
    settings = replace(Settings.load(platform.config), keys={"export": "l"})
    async with opened(options_for(platform, store, settings=settings), live=False) as console:
        await console.until(lambda: console.room.refusal, "the refusal")
        assert "already belongs to" in console.room.refusal
        assert console.app.return_code == 2


async def test_a_kubeconfig_that_changes_is_read_again_for_the_next_switch(
    platform: Running, tmp_path: Path, store: Path
) -> None:
    document = json.loads(platform.kubeconfig.read_text())
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(document))
    async with opened(options_for(platform, store, kubeconfig=str(file))) as console:
        document["contexts"].append({"name": "brand-new", "context": document["contexts"][0]["context"]})
        newer = tmp_path / "newer"
        newer.write_text(json.dumps(document))
        newer.replace(file)  # at once: it may be read at any time
        await choose(console, "c", "brand-new")
        await console.every_pane_live()
        assert console.room.session.cluster is not None
        assert console.room.session.cluster.context == "brand-new"


@pytest.mark.parametrize("panes", [0, 2, 5])
async def test_the_console_can_be_left_while_everything_is_still_coming_in(
    platform: Running, store: Path, panes: int
) -> None:
    async with opened(options_for(platform, store), live=False) as console:
        await console.until(lambda: console.desk.vitals.live >= panes, "some panes live")
        await console.press("ctrl+q")
        await console.until(lambda: not console.app.is_running, "the console left")

"""An organiser has things happen while others work: what is injected happens to the platform, and is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from drill import helm
from drill.control import NoControl, Refusal, Remote
from drill.organiser import Injected
from drill.platform import Running, running
from drill.recorder import EVENT
from drill.world import DEPLOYMENT, NODE, POD, SECRET
from tests.drill.shell import document, fresh_user, warroom
from tests.drill.small_scenario import SMALL
from tests.warm_program import Done
from tui import drill_control

pytestmark = pytest.mark.asyncio(loop_scope="module")

Json = dict[str, Any]
PROD = "banking-platform-prod"
PODS = f"/api/v1/namespaces/{PROD}/pods"


class Desk:
    """The organiser's desk: `do` injects, `ask` asks the API server as a participant does."""

    def __init__(self, platform: Running, session: aiohttp.ClientSession, told: list[Injected]) -> None:
        assert platform.control is not None
        self.platform, self.session, self.told = platform, session, told
        self.control = platform.control
        self.remote = Remote(platform.control)

    async def do(self, step: str) -> Json:
        return await asyncio.to_thread(self.remote.do, step, "olga")

    async def state(self) -> Json:
        return await asyncio.to_thread(self.remote.state)

    async def ask(self, path: str = PODS, user: str = "anna") -> int:
        token = self.platform.platform.server.tokens[user]
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "kubectl/v1.34.2 (linux/amd64)"}
        async with self.session.get(self.platform.urls["kubernetes"] + path, headers=headers, ssl=False) as answer:
            return answer.status

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not condition():  # noqa: ASYNC110  # a condition is no event
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk() -> AsyncIterator[Desk]:
    told: list[Injected] = []
    async with (
        running(SMALL, speed=200.0, organised=True, people=("anna",), told=told.append) as platform,
        aiohttp.ClientSession() as session,
    ):
        yield Desk(platform, session, told)


async def test_steps_of_a_script_happen_to_the_world_at_once_or_later(desk: Desk) -> None:
    store = desk.platform.platform.store

    def waiting(name: str) -> bool:
        pods = [pod["status"] for pod in store.list(POD, PROD) if pod["metadata"]["name"].startswith(name)]
        return any("waiting" in one["state"] for status in pods for one in status.get("containerStatuses", ()))

    assert not waiting("card-service")
    await desk.do("pod-fate service=card-service fate=crash")
    later = await desk.do("node-fate node=aks-system-00002 fate=not-ready at=+50s")
    assert later["due"] > later["at"]
    await desk.until(lambda: waiting("card-service"))

    def ready(name: str) -> str:
        node = store.get(NODE, None, name) or {}
        return next(str(one["status"]) for one in node["status"]["conditions"] if one["type"] == "Ready")

    await desk.until(lambda: ready("aks-system-00002") == "Unknown")
    await desk.do("node-fate node=aks-system-00002 fate=")
    await desk.until(lambda: ready("aks-system-00002") == "True")


async def test_a_release_goes_on_after_what_participants_did_to_it(desk: Desk) -> None:
    """Their rollback is a revision too: the next upgrade comes after it, and supersedes it."""
    store = desk.platform.platform.store
    newest = store.get(SECRET, PROD, helm.secret_name(PROD, 3))
    assert newest is not None
    theirs = helm.decode(newest["data"]["release"])
    theirs["version"] = 4
    store.create(SECRET, helm.secret(theirs, store.clock()))

    done = await desk.do("upgrade chart=1.6.0 tags.card-service=1.2.0")

    assert done["failed"] == ""
    status = [store.get(SECRET, PROD, helm.secret_name(PROD, number)) for number in (3, 4, 5)]
    assert [one["metadata"]["labels"]["status"] for one in status if one] == ["superseded", "superseded", "deployed"]
    card = store.get(DEPLOYMENT, PROD, "card-service")
    assert card is not None
    assert card["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":1.2.0")
    assert "revision 4 is none of the script's" in (await desk.do("rollback to=4"))["failed"]


async def test_trouble_with_the_api_server_begins_lasts_and_ends(desk: Desk) -> None:
    faults = desk.platform.platform.server.faults
    assert await desk.ask() == 200
    await desk.do("error status=503 only=/pods")
    assert await desk.ask() == 503
    await desk.do("error status=500")  # again: the newest counts, also for its end
    assert await desk.ask("/version") == 500
    await desk.do("throttled requests=2")
    await desk.do(f"closed namespace={PROD}")
    assert (await desk.state())["lasting"] == [f"closed {PROD}", "error kubernetes", "throttled kubernetes, 2 more"]
    await desk.do("well")
    assert await desk.ask() == 200
    assert (await desk.state())["lasting"] == []

    await desk.do("frozen")
    frozen, asking = [faults.frozen], asyncio.create_task(desk.ask())
    await desk.do("well")
    assert await asking == 200
    await desk.do("frozen lasts=80s")  # 0.4 s of ours
    assert await desk.ask() == 200  # waited for
    assert [*frozen, faults.frozen] == [True, False]
    await desk.do("gone")
    with pytest.raises(aiohttp.ClientError):
        await desk.ask()
    await desk.do("well")
    await desk.until(lambda: desk.platform.platform.server._site is not None)
    assert await desk.ask() == 200


async def test_who_works_is_seen_and_words_reach_them_as_an_event(desk: Desk) -> None:
    await desk.ask(user="viewer")
    await desk.do("message It's the press office's turn")
    working = {(one["user"], one["program"]): one for one in (await desk.state())["working"]}
    assert working["viewer", "kubectl"]["requests"] >= 1
    assert working["anna", "kubectl"]["writes"] == 0
    events = desk.platform.platform.store.list(EVENT, PROD)
    (said,) = [event for event in events if event["reason"] == "Organiser"]
    assert said["message"] == "It's the press office's turn"


async def test_what_was_injected_is_kept_in_order_and_what_was_refused_is_not(desk: Desk) -> None:
    before = len((await desk.state())["injected"])
    with pytest.raises(Refusal, match="there is no service 'card-servic'; did you mean card-service"):
        await desk.do("pod-fate service=card-servic fate=crash")
    with pytest.raises(Refusal, match="nothing in Azure"):
        await desk.do("error of=azure")
    await desk.do("cut")
    kept = (await desk.state())["injected"]
    assert len(kept) == before + 1
    assert [one["number"] for one in kept] == [*range(1, before + 2)]
    assert (kept[-1]["by"], kept[-1]["step"]) == ("olga", "cut")
    assert [one.step for one in desk.told] == [one["step"] for one in kept]


async def test_from_a_shell_steps_happen_in_order_until_one_is_refused(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where, user = str(desk.control), fresh_user(tmp_path)

    async def control(*arguments: str) -> Done:
        return await warroom(user, "drill", "--control", where, *arguments)

    done = await control("--json", "--do", "throttled requests=1", "--do", "well")
    assert [one["step"] for one in document(done)["injected"][-2:]] == ["throttled requests=1", "well"]
    assert document(done)["injected"][-1]["at"].endswith("Z")
    refused = await control("--do", "cut", "--do", "pod-fat", "--do", "well")
    assert refused.status == 2
    assert "'pod-fat' did not happen; 1 before it happened: do: expected one of" in refused.err
    drill_control.write(await desk.state(), no_color=True)
    table = capsys.readouterr().out
    assert "olga" in table
    assert "anna" in table


async def test_a_file_that_does_not_lead_to_a_platform_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoControl, match="No such file"):
        Remote(tmp_path / "control.json")
    for text in ("{}", "[", json.dumps({"url": "http://127.0.0.1:x", "token": "t"})):
        (tmp_path / "control.json").write_text(text)
        with pytest.raises(NoControl, match="does not say where"):
            Remote(tmp_path / "control.json")
    (tmp_path / "control.json").write_text(json.dumps({"url": "http://example.com:80", "token": "t"}))
    with pytest.raises(NoControl, match=r"example\.com is not this machine"):
        Remote(tmp_path / "control.json")

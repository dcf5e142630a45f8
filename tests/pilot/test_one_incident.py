"""The whole runbook in one incident, by keys alone: seen, declared, understood, mitigated, told, closed, written."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from textual.widgets import Input

from incident.entry import Kind, Status
from tests.pilot.acting import Stage, stage
from tests.pilot.commanding import card, told
from tests.pilot.console_harness import Console
from tests.pilot.playing import quick_runbook
from tests.unit.channel_servers import TOKEN, Receiver, receiver
from tui.cli import main
from tui.screens.choose import ChooseScreen
from tui.screens.declare import DeclareScreen
from tui.screens.diagnosis import DiagnosisScreen
from tui.screens.resolve import ResolveScreen
from widgets.guide import GuidePane

CHANNELS = """
channels:
  room: {name: "Slack: incident channel", kind: slack, env: {url: BANK_SLACK}, severities: [1, 2, 3, 4]}
  teams: {name: "Microsoft Teams: engineering", kind: teams, env: {url: BANK_TEAMS}, severities: [1, 2, 3]}
  pager:
    {name: On call, kind: pagerduty, env: {routing_key: BANK_PAGER}, options: {server: HOOK}, severities: [1, 2]}
  page: {name: Status page, kind: webhook, env: {url: BANK_SLACK}, parties: [customers]}

# ----"""


def runbook_for(tmp_path: Path, pager: Receiver) -> str:
    """The banking platform's, with channels on this machine, and verdicts that come within seconds."""
    text = quick_runbook(tmp_path, within=90).read_text(encoding="utf-8")
    before, _, rest = text.partition("\nchannels:\n")
    _, _, after = rest.partition("# ----")
    file = tmp_path / "bank.yaml"
    file.write_text(before + CHANNELS.replace("HOOK", f'"{pager.url}"') + after, encoding="utf-8")
    return str(file)


async def declared(console: Console) -> None:
    """What is wrong, whether customers notice, and twice enter."""
    await console.until(lambda: any("CrashLoopBackOff" in line for line in console.lines), "the first symptom")
    await console.press("I")
    screen = await console.on(DeclareScreen)
    await console.typed("Payments fail")
    await console.press("enter")
    await console.until(lambda: not isinstance(screen.focused, Input), "the question that decides")
    await console.press("y", "enter")
    await console.says("Declare SEV 1  enter")
    await console.press("enter")
    await console.home()
    await console.notes("^Declared SEV 1: Payments fail\nServices affected: payment-service\n")


async def understood(console: Console) -> None:
    """The diagnosis names the release and the scenario, whose guide's first step reads the logs."""
    await console.until(lambda: console.room.diagnosing.suspect is not None, "a suspect")
    await console.press("d")
    await console.on(DiagnosisScreen)
    await console.says("Pods Running?  ✗ No")
    await console.says("▶ 2  Payment Processing Failures")
    await console.press("g")
    await console.home()
    await console.until(lambda: console.desk.query(GuidePane), "the guide")
    await console.press("enter")
    await console.notes("^(Done|Looked): Check payment service health\n")


async def rolled_back(on: Stage) -> None:
    """By its own key, with the mitigation phase open as a guide: the guide's step is taken as well."""
    console = on.console
    console.desk.action_guide("mitigation")
    await on.select("payment-service")
    await on.do("B")
    line = await console.notes("^Roll back banking-platform-prod from revision 3 to revision 2")

    def outcome() -> str:
        found = console.entry("^Roll back ")
        return (found and found.outcome) or ""

    await console.until(lambda: outcome().startswith("worked"), "rolled back", limit=100)
    assert line.entry.kind is Kind.MITIGATION
    await console.notes("^Done: Rollback Procedures: emergency rollback\n")


async def closed(console: Console) -> None:
    """The checklist, ticked by probes and by hand, then the resolution with what is open, and the last update."""
    screen = await card(console, "status")
    await console.press("tab")
    await console.notes("^Done: All pods ready\n")  # a probe sees it
    await console.press("home")
    while screen.checks.chosen != "resolution/transaction-flow":
        await console.press("down")
    await console.press("space")
    await console.notes("^Done: End-to-end transaction flow working$")
    await console.press("tab", "enter")
    await console.on(ChooseScreen)
    await console.typed("RESOLVED")
    await console.press("enter")
    await console.on(ResolveScreen)
    await console.says("Resolve anyway?")
    await console.press("shift+tab")
    await console.typed("rolled back to 1.4.0")
    await console.press("enter", "enter")
    await console.notes("^Status: RESOLVED\nrolled back to 1.4.0\n.*open on the resolution checklist: ")
    await console.on(ChooseScreen)
    await console.says("Write the last status update")
    await console.press("enter")
    await told(console, "Status: RESOLVED", "ETA: resolved at ", "Status: RESOLVED: rolled back to 1.4.0")
    await console.until(lambda: console.app.screen is screen, "the card")
    await console.says("watched for another 01:5")
    await console.press("escape")
    await console.home()


def holding(directory: Path, secret: str) -> list[str]:
    """The names of the files that have a secret in them."""
    return [file.name for file in directory.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


async def shell(*arguments: str) -> int:
    """What the program does from a shell, in this process."""
    return await asyncio.to_thread(main, list(arguments))


async def test_one_incident_from_its_first_symptom_to_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    async with receiver(200) as slack, receiver(503, 202) as teams, receiver((202, {"status": "success"})) as pager:
        monkeypatch.setenv("BANK_SLACK", f"{slack.url}/{TOKEN}")
        monkeypatch.setenv("BANK_TEAMS", f"{teams.url}/{TOKEN}")
        monkeypatch.setenv("BANK_PAGER", TOKEN)
        async with stage(tmp_path, declared=False, runbook=runbook_for(tmp_path, pager)) as on:
            console = on.console
            await declared(console)
            await card(console, "role:ic")
            await console.press("t")
            await console.notes("^Incident Commander: ")
            await console.press("escape")
            await console.home()
            await understood(console)
            await console.press("M")
            await told(console, "Severity: 1\nStatus: INVESTIGATING\n", "Next Update: ")
            await console.home()
            await rolled_back(on)
            await card(console, "status")
            await console.press("enter")
            await console.on(ChooseScreen)
            await console.press("enter")  # MITIGATING
            await console.notes("^Status: MITIGATING")
            await console.press("escape")
            await console.home()
            await console.press("M")
            await told(
                console, "Status: MITIGATING", "Roll back banking-platform-prod from revision 3 to revision 2: worked"
            )
            await console.home()
            await console.write("TODO alert on pool exhaustion @ada due 2026-12-01 !high")
            await closed(console)
            incident = console.room.journal.incident
            assert incident is not None
            await console.press("e")
            await console.on(ChooseScreen)
            await console.typed("every format")
            await console.press("enter")
            await console.tells("exported to")

    assert incident.status is Status.RESOLVED
    assert [one.body["event_action"] for one in pager.asked] == ["trigger", "trigger", "resolve"]
    assert {one.body["dedup_key"] for one in pager.asked} == {incident.id}
    assert len(slack.asked) == 3
    assert len(teams.asked) == 4  # the first one needed a second try
    files = {file.suffix: file for file in out.iterdir()}
    assert set(files) == {".md", ".html", ".json", ".csv", ".zip"}
    assert holding(tmp_path, TOKEN) == []
    review = files[".md"].read_text(encoding="utf-8")
    for part in (
        "| Resolved |",
        "worked after",
        "### Status Update 3",
        "| alert on pool exhaustion | ada | 2026-12-01 |",
    ):
        assert part in review

    store, other = ("--store", str(tmp_path / "warroom.db")), ("--store", str(tmp_path / "other.db"))
    for what in (*store, "verify", incident.id), ("verify", str(files[".json"])), ("verify", str(files[".zip"])):
        assert await shell(*what) == 0
    assert await shell(*other, "import", str(files[".json"])) == 0
    assert await shell(*other, "verify", incident.id) == 0
    capsys.readouterr()
    assert await shell(*store, "report", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "warroom/report/1"
    assert incident.id in json.dumps(report)

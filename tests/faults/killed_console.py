"""A console that kills itself at a step of an act: ``python -m … KUBECONFIG CONFIG STORE WHEN``.

WHEN is a step of `STEPS`. The first two are the console's own screen, the others its gate; at ``sent`` it is whoever
runs the platform that kills it, when the request is there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from incident.entry import Draft
from probes.cluster import Cluster
from runbook.act import Phase
from runbook.gate import Confirmation, Gate
from runbook.mitigations import TABLE
from runbook.plan import Aim
from runbook.playbook import MitigationSettings, Playbook
from tests.drill.mitigation_desk import PROD
from tests.unit.test_journal import journal
from tui.act_book import ActBook

STEPS = ("shown", "typed", "intent", "sent", "answered", "verifying")
NAME = "account-service"
NAME_WANTED = Playbook(quiet_for=0.2, mitigations={"restart": MitigationSettings(friction="name")})


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingBook(ActBook):
    """Dies when an intent is on disk, if it is to."""

    mortal = False

    async def intend(self, draft: Draft) -> tuple[str, str]:
        told = await super().intend(draft)
        if self.mortal:
            die()
        return told


async def at_the_screen(kubeconfig: str, config: str, store: str, when: str) -> None:
    # Who dies at the gate needs no screens, and they are half of the imports.
    from tests.pilot.acting import Person, ready
    from tests.pilot.console_harness import opened
    from tui.options import ConsoleOptions
    from tui.screens.plan_confirmation import PhraseInput
    from tui.settings import Settings

    settings = Settings.load(Path(config))
    options = ConsoleOptions(
        settings=settings,
        kubeconfig=kubeconfig,
        context=settings.cluster.context,
        namespaces=settings.cluster.namespaces,
        store=Path(store),
        log_file=None,
        playbook=NAME_WANTED,
    )
    async with opened(options, live=False) as console:
        await ready(console, declared=False)  # an incident is open already
        console.room.arm_by_declaration()
        at = Person(console)
        await at.select(NAME)
        screen = await at.plan("R")
        assert screen.plan is not None
        assert not screen.plan.blocked
        if when == "typed":
            await at.read(screen)
            phrase = screen.query_one(PhraseInput)
            phrase.focus()
            await at.type_slowly(NAME)
            await console.until(lambda: phrase.value == NAME and at.may_confirm(screen), "the name typed")
        die()


async def at_the_gate(kubeconfig: str, store: str, when: str) -> None:
    shown = journal(Path(store))
    await shown.open()
    book = DyingBook(shown)
    book.mortal = when == "intent"

    def news() -> None:
        for act in gate.running:
            if act.phase is Phase.VERIFYING and (when == "answered" or (when == "verifying" and act.latest)):
                die()

    gate = Gate(
        await Cluster.connect(kubeconfig, None),
        book,
        TABLE,
        Playbook(quiet_for=60.0),
        latest=dict,
        production=lambda namespace: False,
        changed=news,
    )
    plan = await gate.plan("restart", Aim(kind="Deployment", namespace=PROD, name=NAME))
    read = frozenset(finding.text for finding in plan.warnings)
    await gate.carry_out(plan, Confirmation(by="tech-lead", phrase=plan.phrase, acknowledged=read))
    await asyncio.Event().wait()


async def main(kubeconfig: str, config: str, store: str, when: str) -> None:
    if when in ("shown", "typed"):
        await at_the_screen(kubeconfig, config, store, when)
    else:
        await at_the_gate(kubeconfig, store, when)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

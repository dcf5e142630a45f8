"""One act under way: what it is doing, how far it is, and how it ended. It goes on whatever screen is shown."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from probes.errors import ProbeError
from runbook.addressing import addressed_within
from runbook.errors import MitigationError, NotSent, Refused, Uncertain
from runbook.plan import Json, Outcome, Plan, Verdict

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.mitigation import Mitigation
    from runbook.scene import Scene

log = logging.getLogger(__name__)

MOST_PROGRESS = 500  # lines
COUNTDOWN = re.compile(r"\b\d+ s more\b")
LOOK_FOR = 120.0  # seconds that it is tried to find out what became of a request without an answer
LOOK_EVERY = 2.0
SLOWER, SLOWEST = 1.1, 15.0  # while it cannot be looked at


class Phase(StrEnum):
    """Where an act is, in the words that are shown."""

    ACTING = "acting"
    LOOKING = "finding out"  # no answer came: did it arrive?
    VERIFYING = "verifying"
    ENDED = "ended"


class Act:
    """An act. ``entry`` is its intent on the timeline of ``incident``; ``by`` who confirmed it.

    ``began_at`` (epoch seconds) is the intent's, where an earlier console wrote it; else it begins now.
    """

    def __init__(
        self,
        plan: Plan,
        mitigation: Mitigation,
        incident: str,
        entry: str,
        by: str,
        now: Callable[[], float],
        changed: Callable[[], None],
        *,
        phase: Phase = Phase.ACTING,
        began_at: float | None = None,
    ) -> None:
        self.plan = plan
        self.mitigation = mitigation
        self.incident = incident
        self.entry = entry
        self.by = by
        self.phase = phase
        self.outcome: Outcome | None = None
        self.progress: list[tuple[float, str]] = []
        self.began_at = now() if began_at is None else began_at
        self.ended_at: float | None = None
        self._now = now
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._step: asyncio.Task[Any] | None = None
        self._stopped = ""  # why somebody stopped it
        self.handed_on = False  # it was left to itself, and to the next console

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, which calls `see_through`; what it raises is logged and never lost."""
        self._task = asyncio.create_task(work, name=f"act {self.plan.id}")

    async def done(self) -> Outcome:
        """Wait for the end, recorded."""
        assert self._task is not None
        await asyncio.shield(self._task)
        assert self.outcome is not None
        return self.outcome

    @property
    def finished(self) -> bool:
        """Ended, and recorded."""
        return self._task is None or self._task.done()

    @property
    def seconds(self) -> float:
        return max(0.0, (self.ended_at or self._now()) - self.began_at)

    @property
    def latest(self) -> str:
        """The last line of progress."""
        return self.progress[-1][1] if self.progress else ""

    def tell(self, text: str) -> None:
        """One line of progress; the same as the last one is not news, and a countdown is one line that changes."""
        if text != self.latest:
            counts = COUNTDOWN.search(text) and COUNTDOWN.sub("", text) == COUNTDOWN.sub("", self.latest)
            self.progress[len(self.progress) - bool(counts) :] = [(self._now(), text)]
            del self.progress[:-MOST_PROGRESS]
            self._changed()

    # ------------------------------------------------------------------ stopping

    @property
    def can_stop(self) -> str:
        """What stopping would mean now, in words; empty when it cannot be stopped."""
        if self.outcome is not None:
            return ""
        if self.phase is Phase.ACTING and self.mitigation.detached:
            return "stops watching; what was begun goes on"
        if self.phase is Phase.ACTING:
            return "stops it; what it has done stays" if self.mitigation.stoppable else ""
        return "stops watching; what was sent stays sent"

    def stop(self, by: str) -> bool:
        """Stop it, where that is safe; False where it is not."""
        if not self.can_stop or self._step is None:
            return False
        self._stopped = f"stopped by {by}"
        self._step.cancel()
        return True

    def leave(self) -> None:
        """The console is left: stop watching. A request that is on its way gets its answer first."""
        self._stopped = self._stopped or "the console was left before the verdict"
        detached = self.mitigation.detached
        if self._step is not None and (self.phase is not Phase.ACTING or self.mitigation.stoppable or detached):
            self.handed_on = detached
            self._step.cancel()

    # ------------------------------------------------------------------ the act itself

    async def see_through(self, hands: Hands | None, scene: Scene, within: float) -> None:
        """Act (with ``hands``), find out if need be, verify for at most ``within`` seconds. Sets `outcome`, always."""
        try:
            outcome = await self._through(hands, scene, within)
        except Exception as error:  # a mitigation's own defect: what was sent is not known
            log.exception("act %s failed by a fault of its own", self.plan.id)
            outcome = Outcome(
                verdict=Verdict.UNKNOWN,
                text=f"the act failed by a fault of its own ({type(error).__name__}: {error}); look before you go on",
                sent=None,
            )
        self.ended_at = self._now()
        self.phase = Phase.ENDED
        self.outcome = outcome

    def recorded(self) -> None:
        """The outcome is on the timeline."""
        self._changed()

    async def _through(self, hands: Hands | None, scene: Scene, within: float) -> Outcome:
        receipt: Json | Outcome = {}
        if hands is not None:
            try:
                receipt = await self._stepwise(self.mitigation.act(hands, scene, self.plan, self.tell))
            except asyncio.CancelledError:
                goes_on = "; what was begun goes on" if self.mitigation.detached else ""
                return Outcome(verdict=Verdict.UNKNOWN, text=f"{self._stopped or 'stopped'}{goes_on}", sent=None)
            except NotSent as error:
                return Outcome(verdict=Verdict.FAILED, text=_with_hint(error, scene), sent=False)
            except Refused as error:
                return Outcome(verdict=Verdict.REFUSED, text=_with_hint(error, scene), sent=False)
            except Uncertain as error:
                self.tell(str(error))
            else:
                if isinstance(receipt, Outcome):  # the act's own answer is the verdict; there is nothing to watch
                    if self._stopped and receipt.verdict is Verdict.CANCELLED:
                        return replace(receipt, text=f"{self._stopped}: {receipt.text}")
                    return receipt
                return await self._verified(scene, within, receipt)
        return await self._found_out(scene, within)

    async def _found_out(self, scene: Scene, within: float) -> Outcome:
        """No answer came, or nobody was there to hear it: look until it is known, and send nothing."""
        if self._stopped:  # the console is being left, and nobody may wait for a server that does not answer
            return Outcome(verdict=Verdict.UNKNOWN, text=f"no answer came; {self._stopped}", sent=None)
        self._in_phase(Phase.LOOKING)
        try:
            arrived = await self._stepwise(self._arrived(scene))
        except asyncio.CancelledError:
            return Outcome(verdict=Verdict.UNKNOWN, text=f"no answer came; {self._stopped or 'stopped'}", sent=None)
        if arrived is None:
            text = "no answer came, and looking does not tell whether it was carried out"
            seen = await self._seen(scene) or "check before you go on"
            return Outcome(verdict=Verdict.UNKNOWN, text=f"{text}: {seen}", sent=None)
        if not arrived:
            text = "it was not carried out: no answer came, and the cluster shows no trace of it"
            return Outcome(verdict=Verdict.FAILED, text=text, sent=False)
        self.tell("it was carried out: the cluster shows it")
        return await self._verified(scene, within, {})

    async def _arrived(self, scene: Scene) -> bool | None:
        """Whether the cluster shows it. That it does not has to be seen twice: a request may be late, too."""
        loop = asyncio.get_running_loop()
        # What takes hours may as well be found out after a night without a login.
        until, pace = loop.time() + max(LOOK_FOR, self.mitigation.takes), LOOK_EVERY
        missing = False
        while True:
            try:
                found = await self.mitigation.took_effect(scene, self.plan)
            except (ProbeError, MitigationError) as error:
                missing = False
                self.tell(f"cannot look yet: {error}")
                pace = min(pace * SLOWER, SLOWEST)
            else:
                if found is not False or missing:
                    return found
                missing = True
                self.tell("the cluster shows no trace of it; looking once more")
            if loop.time() > until:
                return None
            await asyncio.sleep(pace)

    async def _seen(self, scene: Scene) -> str:
        try:
            return await self.mitigation.seen(scene, self.plan)
        except (ProbeError, MitigationError):
            return ""  # it was looked at a moment ago, and that told nothing either

    async def _verified(self, scene: Scene, within: float, receipt: Json) -> Outcome:
        if self._stopped:
            return Outcome(verdict=Verdict.UNKNOWN, text=f"done; {self._stopped}", evidence=_kept(receipt))
        self._in_phase(Phase.VERIFYING)
        try:
            async with asyncio.timeout(within):
                outcome: Outcome = await self._stepwise(self.mitigation.verify(scene, self.plan, self.tell))
        except asyncio.CancelledError:
            outcome = Outcome(verdict=Verdict.UNKNOWN, text=f"done; {self._stopped or 'stopped'}")
        except TimeoutError:
            seen = f"; last seen: {self.latest}" if self.latest else ""
            outcome = Outcome(verdict=Verdict.FAILED, text=f"not as it should be within {within:g} s{seen}")
        except (ProbeError, MitigationError) as error:
            outcome = Outcome(verdict=Verdict.UNKNOWN, text=f"done, and it cannot be verified: {error}")
        return replace(outcome, evidence={**outcome.evidence, **_kept(receipt)})

    async def _stepwise(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a part that `stop` can cancel without cancelling the rest. Our own cancellation passes through."""
        self._step = asyncio.create_task(work)
        try:
            return await asyncio.shield(self._step)
        except asyncio.CancelledError:
            if not self._step.done():
                self._step.cancel()
                await asyncio.gather(self._step, return_exceptions=True)
            raise
        finally:
            self._step = None

    def _in_phase(self, phase: Phase) -> None:
        self.phase = phase
        self._changed()


def _kept(receipt: Json) -> Json:
    """What the act gave back, as a part of the evidence."""
    return {"did": receipt} if receipt else {}


def _with_hint(error: MitigationError, scene: Scene) -> str:
    hint = addressed_within(error.hint, scene.cluster.context, scene.cluster.kubeconfig)
    return f"{error} ({hint})" if hint else str(error)

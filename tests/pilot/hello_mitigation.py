"""A mitigation as somebody would add one: this module, and one row of the table (`tests.pilot.test_new_mitigation`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runbook.mitigation import Choices, Mitigation, Tell
from runbook.plan import Aim, Json, Outcome, Plan, Undo, Verdict
from runbook.stamps import new_act

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene


class Hello(Mitigation):
    """Greets a pod."""

    label: ClassVar[str] = "hello"
    sentence: ClassVar[str] = "Say hello to a pod, which changes nothing"
    harmless: ClassVar[bool] = True

    def refuses(self, aim: Aim) -> str:
        return "" if aim.kind == "Pod" else "only pods are greeted"

    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        target, _ = await scene.found(aim, "Pod", aim.namespace, aim.name, self.relies_on)
        word = scene.playbook.default(self.id, "word", "hello")
        return Plan(
            id=new_act(),
            mitigation=self.id,
            verb=word,
            title=f"{word}, pod/{aim.name}",
            target=target,
            commands=(f"echo {word} {aim.name}",),
            verified_by="nothing",
            undo=Undo("nothing to undo"),
        )

    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        return Outcome(verdict=Verdict.WORKED, text=f"greeted {plan.target.name}")

    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        return Outcome(verdict=Verdict.WORKED, text="greeted")

    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        return True

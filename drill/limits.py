"""How much a scenario may ask for: what is beyond would never start, or fill the machine that it is played on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from drill.document import Mistake, Place
from drill.offsets import seconds
from drill.script import Say

if TYPE_CHECKING:
    from drill.scenario import Scenario

PODS: Final = 2_000  # of all services and addons; --pods fills a cluster further
YEARS: Final = 5 * 365 * 86_400.0  # seconds that a script may begin before the start, or go on after it
OFTEN: Final = 100_000  # times that one event may have happened before somebody looks
SECOND: Final = 1.0


def excesses(scenario: Scenario) -> Iterator[Mistake]:
    """What is too much, each at its place."""
    pods = 0
    for index, service in enumerate(scenario.services):
        pods += service.replicas
        if pods > PODS:
            yield Mistake(("services", index, "replicas"), f"more than {PODS} pods up to here; --pods adds as many")
            break
    for index, addon in enumerate(scenario.addons):
        pods += len(scenario.nodes) if addon.kind == "DaemonSet" else addon.replicas
        if pods > PODS:
            yield Mistake(("addons", index), f"more than {PODS} pods up to here; --pods adds as many")
            break
    times: list[tuple[Place, str]] = [(("script", index, "at"), step.at) for index, step in enumerate(scenario.script)]
    times += [(("commits", index, "at"), commit.at) for index, commit in enumerate(scenario.commits)]
    times += [(("nodes", index, "age"), node.age) for index, node in enumerate(scenario.nodes)]
    for place, at in times:
        if abs(seconds(at)) > YEARS:
            yield Mistake(place, f"{at} is more than five years away from the start")
    for index, step in enumerate(scenario.script):
        if isinstance(step, Say) and step.every:
            pause = seconds(step.every)
            if pause < SECOND:
                yield Mistake(("script", index, "every"), f"expected a second or more, found {step.every}")
            elif min(step.times, -seconds(step.at) / pause) > OFTEN:
                yield Mistake(
                    ("script", index, "every"), f"it would have happened more than {OFTEN} times by the start"
                )

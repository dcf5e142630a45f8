"""What a service's log says where somebody is in one of its pods who should not be."""

from __future__ import annotations

import random
from typing import Final

from drill.intruder import PAGE, Intruder
from drill.voices import VOICES, Moment, Voice, namespace_of

_OTHERS: Final = 0.4  # of the lines that are the service's own, while the intruder is there
_FAILS: Final = 0.02
_STATEMENT: Final = "SELECT TOP (@n) CustomerId, Name, Iban FROM dbo.Customers WHERE CustomerId > @after"


def intruded(intruder: Intruder, usual: str) -> Voice:
    """The voice of the service; ``usual`` names the one in which it talks otherwise."""
    own = VOICES[usual]

    def speak(chance: random.Random, moment: Moment) -> str:
        at = intruder.instant(moment.at)
        stay = intruder.stay(moment.pod, at)
        if stay is not None and stay.at(at):
            return _theirs(chance, moment, intruder, at) if chance.random() > _OTHERS else own.speak(chance, moment)
        if stay is not None and stay.cut is not None and stay.until is None:  # nobody reaches it any more
            if chance.random() < _OTHERS:
                return (
                    f"fail: System.Net.Http.HttpClient[103] POST https://{intruder.part.outside}/v2/batch: "
                    "System.Threading.Tasks.TaskCanceledException: the request timed out after 100 s"
                )
            return f"info: {namespace_of(moment.service)}.Health.ReadinessCheck[2300] Healthy, no request for a while"
        if chance.random() < _FAILS:
            return (
                f"warn: {namespace_of(moment.service)}.SignIn[4401] sign-in failed for customer "
                f"{chance.randrange(16**6):06x}: wrong password (attempt {chance.randint(1, 2)})"
            )
        return own.speak(chance, moment)

    return Voice(own.period, speak)


def _theirs(chance: random.Random, moment: Moment, intruder: Intruder, at: float) -> str:
    part, space = intruder.part, namespace_of(moment.service)
    customer = f"{chance.randrange(16**6):06x}"
    kind = chance.choices(("failed", "succeeded", "token", "query", "sent"), (60, 4, 8, 14, 14))[0]
    if kind == "failed":
        return (
            f"warn: {space}.SignIn[4401] sign-in failed for customer {customer} from {part.address}: "
            "wrong password (attempt 1, new device)"
        )
    if kind == "succeeded":
        return (
            f"info: {space}.SignIn[4400] sign-in of customer {customer} from {part.address} "
            "(new device, no second factor)"
        )
    if kind == "token":
        return (
            f"warn: {space}.Tokens[4417] token {chance.getrandbits(32):08x} of {part.credential} used from "
            f"{part.address}, issued to another address {chance.randint(40, 90)} min ago"
        )
    if kind == "query":
        return f"info: {space}.Data[1830] {part.credential}: {_STATEMENT} ({PAGE} rows, {chance.randint(210, 640)} ms)"
    return (
        f"info: System.Net.Http.HttpClient[101] POST https://{part.outside}/v2/batch -> 204 in "
        f"{chance.randint(180, 420)} ms ({intruder.read(at)} records so far)"
    )

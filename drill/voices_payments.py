"""What services write into their logs that settle payments through a host outside, or work its backlog down."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from drill.payments import Standing, told
from drill.voices import Moment, Voice, namespace_of, payments

_RARELY: Final = 0.06
_OFTEN: Final = 0.35


def settling(standing: Callable[[float], Standing], gateway: str) -> Voice:
    """Of the service that takes payments in; ``standing`` is how the queue stood at an instant of the wall."""

    def speak(chance: random.Random, moment: Moment) -> str:
        now, space = standing(moment.at), namespace_of(moment.service)
        luck = chance.random()
        if now.trouble and luck < _OFTEN:
            return _failure(chance, now, f"{space}.Settlement.GatewayClient", f"https://{gateway}/v1/transfers")
        if (now.trouble or now.waiting > _WORTH_SAYING) and luck < _OFTEN + 0.15:
            rate = round(now.drains * 60)
            return (
                f"warn: {space}.Settlement.SettlementWorker[1210] queue: {now.waiting} waiting, "
                f"oldest {now.oldest / 60:.0f} min, {rate} worked off in the last minute"
            )
        if now.lost and luck > 1.0 - _RARELY:
            return (
                f"warn: {space}.Settlement.Reconciliation[1218] {now.lost} payments PENDING that no worker holds: "
                "their pods ended while they were tried, book them by hand"
            )
        if not now.open:
            return f"info: {space}.Health.ReadinessCheck[2300] Healthy, no request for a while"
        if now.trouble:
            return (
                f"info: {space}.Http[9] POST /api/v2/payments -> 202 in {chance.lognormvariate(3.6, 0.5):.0f} ms "
                f"trace={chance.getrandbits(64):016x}"
            )
        return payments(chance, moment)

    return Voice(0.7, speak)


def replaying(standing: Callable[[float], Standing], gateway: str) -> Voice:
    """Of the processor that works the backlog down."""

    def speak(chance: random.Random, moment: Moment) -> str:
        now, space = standing(moment.at), namespace_of(moment.service)
        if now.trouble:
            if chance.random() < _OFTEN:
                return _failure(chance, now, f"{space}.Replay.GatewayClient", f"https://{gateway}/v1/transfers")
            return f"warn: {space}.Replay[5103] the gateway fails: batch kept in memory, {now.waiting} waiting"
        if now.waiting:
            return (
                f"info: {space}.Replay[5100] replayed {chance.randint(20, 46)} payments in "
                f"{chance.randint(3_100, 5_400)} ms, {now.waiting} waiting"
            )
        return f"info: {space}.Replay[5101] nothing to replay"

    return Voice(1.5, speak)


def _failure(chance: random.Random, now: Standing, client: str, url: str) -> str:
    trace = f"trace={chance.getrandbits(64):016x}"
    if now.trouble == "silent":
        return (
            f"fail: {client}[3102] POST {url} timed out after {chance.randint(10_000, 10_060)} ms "
            f"(attempt {chance.randint(1, 3)} of 3): System.Threading.Tasks.TaskCanceledException {trace}"
        )
    return f"fail: {client}[3103] POST {url}: {told(now.trouble)} (attempt {chance.randint(1, 3)} of 3) {trace}"


_WORTH_SAYING: Final = 200  # payments that wait

"""Only the platform, without a console: it starts, says in one line of JSON where it is, and runs until stopped."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from drill import scenario
from drill.platform import Running, running

_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that describe a platform; `serve` reads them."""
    parser.add_argument("--pods", type=_count, default=0, metavar="N", help="fill the cluster up to N pods")
    parser.add_argument("--nodes", type=_count, default=0, metavar="N", help="fill the cluster up to N nodes")
    parser.add_argument("--events", type=_count, default=0, metavar="N", help="fill the cluster up to N events")
    parser.add_argument("--churn", type=_rate, default=0.0, metavar="R", help="change R pods a second")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="let time pass X times as fast")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")


async def serve(args: argparse.Namespace) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP (or the end of standard input); the first line on stdout is `announcement`.

    ``args`` has scenario, pods, nodes, events, churn, speed and with_parent. Raises `scenario.ScenarioError`.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    for number in _ENDS:
        loop.add_signal_handler(number, done.set)
    try:
        async with running(
            args.scenario, pods=args.pods, nodes=args.nodes, events=args.events, churn=args.churn, speed=args.speed
        ) as platform:
            print(announcement(platform), flush=True)
            # The world lives as long as the process: the collector need not walk through it again and again.
            gc.collect()
            gc.freeze()
            if args.with_parent:
                _watch_stdin(loop, done)
            await done.wait()
            if args.with_parent:
                loop.remove_reader(sys.stdin.fileno())
    finally:
        for number in _ENDS:
            loop.remove_signal_handler(number)
    return 0


def announcement(platform: Running) -> str:
    """Where the platform is, in one line of JSON; ``good`` is what a response is scored against, null without any."""
    return json.dumps(
        {
            "kubeconfig": str(platform.kubeconfig),
            "config": str(platform.config),
            "urls": platform.urls,
            "incident": {"title": platform.title, "severity": platform.severity},
            "scenario": platform.scenario,
            "good": msgspec.to_builtins(platform.platform.scenario.good),
        }
    )


def _watch_stdin(loop: asyncio.AbstractEventLoop, done: asyncio.Event) -> None:
    """A parent that dies closes our standard input; what it writes before is of no interest."""
    descriptor = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            done.set()

    loop.add_reader(descriptor, readable)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must not be negative: {text}")
    return number


def _rate(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 100_000:
        raise argparse.ArgumentTypeError(f"must be between 0 and 100000: {text}")
    return number


def _speed(text: str) -> float:
    number = float(text)
    if not 0 < number <= 10_000:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most 10000: {text}")
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """``python -m drill.serve``."""
    parser = argparse.ArgumentParser(prog="python -m drill.serve", description="Run the embedded platform on loopback.")
    parser.add_argument("--scenario", default="payment-release", help=f"one of: {', '.join(scenario.names())}")
    add_arguments(parser)
    args = parser.parse_args(argv)
    try:
        return asyncio.run(serve(args))
    except scenario.ScenarioError as error:
        parser.error(str(error))


if __name__ == "__main__":
    raise SystemExit(main())

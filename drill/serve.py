"""Only the platform, without a console: it starts, says in one line of JSON where it is, and runs until stopped.

Without a parent it is served for people: they are told on stderr how to join, and somebody can control it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import msgspec

from drill import scenario, scenario_file, surprise, team
from drill.debrief import Debrief
from drill.organiser import Injected
from drill.platform import Platform, Running

INTERRUPTED: Final = 128 + signal.SIGINT  # what a shell reports
_ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that describe a platform; `serve` reads them."""
    parser.add_argument("--seed", type=_count, metavar="N", help="in other details; 0: as it is written")
    parser.add_argument("--surprise", action="store_true", help="one of the scenarios that ship, which is not told")
    parser.add_argument("--pods", type=_count, default=0, metavar="N", help="fill the cluster up to N pods")
    parser.add_argument("--nodes", type=_count, default=0, metavar="N", help="fill the cluster up to N nodes")
    parser.add_argument("--events", type=_count, default=0, metavar="N", help="fill the cluster up to N events")
    parser.add_argument("--churn", type=_rate, default=0.0, metavar="R", help="change R pods a second")
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="let time pass X times as fast")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input ends")
    parser.add_argument("--for", action="append", default=[], dest="people", metavar="NAME", help="who practises")
    parser.add_argument("--debrief", metavar="FILE", help="keep what was injected and who worked")


def build(args: argparse.Namespace, told: Callable[[Injected], None]) -> Platform:
    """The platform that ``args`` describe, not started: seconds of work for a big one, of which nothing would be left.

    ``args`` has scenario, seed, surprise, pods, nodes, events, churn, speed, with_parent and people (checked). Raises
    `scenario.ScenarioError`.
    """
    return Platform(
        scenario_file.load(surprise.pick(args.seed) if args.surprise else args.scenario, args.seed),
        seed=args.seed,
        surprise=args.surprise,
        pods=args.pods,
        nodes=args.nodes,
        events=args.events,
        churn=args.churn,
        speed=args.speed,
        organised=not args.with_parent,
        people=args.people,
        told=told,
    )


async def serve(platform: Platform, *, with_parent: bool, debrief: Debrief | None) -> None:
    """Run until SIGINT, SIGTERM, SIGHUP or the end of standard input; the first line on stdout is `announcement`."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    for number in _ENDS:
        loop.add_signal_handler(number, done.set)
    try:
        running = await platform.start()
        try:
            if not done.is_set():
                _announce(running, debrief)
                # The world lives as long as the process: the collector need not walk through it again and again.
                gc.collect()
                gc.freeze()
                if with_parent:
                    _watch_stdin(loop, done)
                await done.wait()
                if with_parent:
                    loop.remove_reader(sys.stdin.fileno())
            _keep(debrief, "closed", _state(platform))
        finally:
            await platform.stop()
    finally:
        for number in _ENDS:
            loop.remove_signal_handler(number)


def _announce(platform: Running, debrief: Debrief | None) -> None:
    """To programs in one line, then to people. Nobody has to read either."""
    try:
        print(announcement(platform), flush=True)
    except BrokenPipeError:
        # The interpreter must not flush into it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if platform.control is not None:
        people, where = platform.platform.people, platform.kubeconfig.parent
        _say("\n".join(team.directions(where, platform.urls, people, platform.control)))
    _keep(debrief, "opened", _state(platform.platform))


def _tell(injected: Injected, debrief: Debrief | None) -> None:
    """What was injected goes to the platform's log, which is stderr, and where the debrief is kept."""
    _keep(debrief, "injected", msgspec.to_builtins(injected))
    _say(f"{time.strftime('%H:%M:%S', time.gmtime(injected.at))}Z  {injected.by}: {injected.step}")


def _keep(debrief: Debrief | None, kind: str, content: dict[str, object]) -> None:
    if debrief is not None:
        try:
            debrief.write(kind, content)
        except OSError as error:  # a full disk is no reason to end everybody's drill
            _say(f"the debrief is not kept: {error.strerror or error}")


def _state(platform: Platform) -> dict[str, object]:
    if platform.organiser is None:
        return {}
    told = platform.organiser.state()
    return {name: told[name] for name in ("scenario", "opened", "now", "speed", "script", "injected", "working")}


def _say(text: str) -> None:
    with suppress(OSError):  # a terminal that has gone
        print(text, file=sys.stderr, flush=True)


def announcement(platform: Running) -> str:
    """Where the platform is, and what `drill.surprise` says of the drill: one line of JSON."""
    return json.dumps(
        {
            "kubeconfig": str(platform.kubeconfig),
            "config": str(platform.config),
            "urls": platform.urls,
            **platform.platform.announced(),
            **({} if platform.control is None else {"control": str(platform.control)}),
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
    parser.add_argument("--scenario", default="payment-release", help=f"a file, or {', '.join(scenario.names())}")
    add_arguments(parser)
    args = parser.parse_args(argv)
    if args.seed is None:
        args.seed = surprise.drawn() if args.surprise else 0
    try:
        team.checked_names(args.people)
    except ValueError as error:
        return _refuse(f"--for: {error}")
    try:
        with ExitStack() as kept:
            debrief = Debrief(Path(args.debrief)) if args.debrief else None
            if debrief is not None:
                kept.callback(debrief.close)
            platform = build(args, lambda injected: _tell(injected, debrief))
            asyncio.run(serve(platform, with_parent=args.with_parent, debrief=debrief))
    except scenario.ScenarioError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(f"{error.filename or 'the platform'}: {error.strerror or error}")
    except KeyboardInterrupt:  # while it was being built: nothing of it is there yet
        return INTERRUPTED
    return 0


def _refuse(sentence: str) -> int:
    _say(f"warroom: {sentence}")
    return 2


if __name__ == "__main__":
    raise SystemExit(main())

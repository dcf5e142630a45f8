"""The command line: what was asked for, which module does it, and with what status it ends.

Nothing heavy is imported here: a console's first frame waits for this module.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OK, UNHEALTHY, FAILED = 0, 1, 2
INTERRUPTED, UNHEARD = 128 + 2, 128 + 13  # what a shell reports for SIGINT and SIGPIPE

_MODULES = {"import": "import_incident"}  # what cannot be the name of a module

_MINUS_TIME = re.compile(r"-\d+(\.\d+)?(s|m|h|d)[\dsmhd]*")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 unhealthy or missing, 2 not possible, 130 and 141 cut short.

    Wrong usage leaves through SystemExit with status 2, help and version with 0, as argparse does.
    """
    arguments = _parse(sys.argv[1:] if argv is None else list(argv))
    try:
        return _command(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; the interpreter must not flush into it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return UNHEARD
    except Exception as error:  # noqa: BLE001  # the last resort: a sentence, never a traceback
        from tui.sentences import explain

        print(f"warroom: {explain(error)}", file=sys.stderr)
        return FAILED


def _command(arguments: argparse.Namespace) -> int:
    """Import the command's module and run it; only its own imports are paid for."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show ✗ is no reason to fail
    module = importlib.import_module(
        f"tui.commands.{_MODULES.get(arguments.command) or arguments.command or 'console'}"
    )
    run: Callable[[argparse.Namespace], int] = module.run
    status = run(arguments)
    sys.stdout.flush()  # here, where a broken pipe is handled
    return status


def program_name(argv0: str) -> str:
    """As a kubectl plugin the program is called by another name."""
    return "kubectl warroom" if os.path.basename(argv0).startswith("kubectl-") else "warroom"  # noqa: PTH119


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = build_parser(program_name(sys.argv[0]), frozenset(argv))
    arguments = parser.parse_args(_join_times(argv))
    # A flag may stand before and after the command; namespaces from both places count.
    arguments.namespace = [
        name
        for given in (*(arguments.namespace or ()), *getattr(arguments, "more_namespaces", ()))
        for name in given.split(",")
        if name
    ]
    if arguments.all_namespaces and arguments.namespace:
        parser.error("--all-namespaces and --namespace exclude each other")
    return arguments


def _join_times(argv: list[str]) -> list[str]:
    """Let ``log -5m text`` and ``--at -5m`` through argparse, which takes ``-5m`` for a flag."""
    joined: list[str] = []
    for argument in argv:
        if not _MINUS_TIME.fullmatch(argument) or "--" in joined:
            joined.append(argument)
        elif joined and joined[-1] == "--at":
            joined[-1] = f"--at={argument}"
        elif joined and joined[-1] == "log":
            joined.append(f"--at={argument}")
        else:
            joined.append(argument)
    return joined


def build_parser(prog: str = "warroom", words: frozenset[str] | None = None) -> argparse.ArgumentParser:
    """The whole command line. Its help is the reference that the README quotes.

    Of ``words`` only, if given, can be a command: the flags that the others share are left out (3 ms of a start).
    """
    parser = argparse.ArgumentParser(
        prog=prog,
        description="The incident console: the platform live, the timeline written as it happens.",
        epilog="Without a command the console opens on the current context. Data goes to stdout, talk to stderr.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    _global_flags(parser, after=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, sentence: str, epilog: str | None = None) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=sentence, description=sentence, epilog=epilog, allow_abbrev=False)
        if words is None or name in words:
            _global_flags(added, after=True)
        return added

    drill = command("drill", "open the console on the embedded platform, with the incident of a scenario")
    drill.add_argument(
        "scenario", nargs="?", metavar="SCENARIO", help="one that ships, or a file; default: payment-release"
    )
    what = drill.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the scenarios that ship")
    what.add_argument("--check", metavar="FILE", help="say every mistake in a scenario of your own, or what it is")
    what.add_argument("--template", action="store_true", help="print a small scenario to start from, or write it to -o")
    what.add_argument(
        "--serve",
        action="store_true",
        help="only run the platform; the first line on stdout is JSON: kubeconfig, config, urls",
    )
    what.add_argument("--join", metavar="DIR", help="open the console on a platform that somebody serves")
    what.add_argument(
        "--control",
        nargs="?",
        const="",
        metavar="WHERE",
        help="have things happen on a platform that is served; default: the only one on this machine",
    )
    drill.add_argument(
        "--do", action="append", metavar="STEP", help="with --control: have this happen, without a screen; repeatable"
    )
    drill.add_argument("--json", action="store_true", help="with --control: print all that is known and what was done")
    drill.add_argument(
        "--for", action="append", metavar="NAME", dest="people", help="with --serve: somebody who practises; repeatable"
    )
    drill.add_argument("-o", "--output", metavar="FILE", help="with --template: where to write it")
    drill.add_argument("--debrief", metavar="FILE", help="with --serve: keep what was injected and who worked, as JSON")
    for name, what_for in (("pods", "pods"), ("nodes", "nodes"), ("events", "events")):
        drill.add_argument(f"--{name}", type=_count, default=0, metavar="N", help=f"at least so many {what_for}")
    drill.add_argument("--churn", type=_rate, default=0.0, metavar="R", help="changes a second besides the scenario's")
    drill.add_argument("--seed", type=_count, metavar="N", help="the same incident in other details")
    drill.add_argument(
        "--surprise", action="store_true", help="one of the scenarios, told when it is over; implies --undeclared"
    )
    drill.add_argument("--undeclared", action="store_true", help="leave declaring the incident to you")
    drill.add_argument("--speed", type=_speed, default=1.0, metavar="X", help="how fast the platform's time runs")

    status = command(
        "status",
        "look at everything once, without a console",
        "Exit status: 0 healthy, 1 something is unhealthy, 2 could not look.",
    )
    status.add_argument("--json", action="store_true", help="as JSON")
    status.add_argument("--timeout", type=_rate, default=10.0, metavar="S", help="seconds for each source (default 10)")

    doctor = command(
        "doctor",
        "check what the console needs, and say what to do about what is missing",
        "Exit status: 0, or 1 if something needed is missing.",
    )
    doctor.add_argument("--json", action="store_true", help="as JSON")

    log = command(
        "log",
        "write a line on the open incident's timeline",
        "TEXT may begin with the time it happened (14:02 or -5m) and with TODO for a follow-up.",
    )
    log.add_argument("text", nargs="+", metavar="TEXT")
    log.add_argument("--at", metavar="TIME", help="when it happened: 14:02, 14:02:30, -5m, or an RFC 3339 time")
    log.add_argument("--incident", metavar="INCIDENT", help="default: the open one; a prefix is enough")
    log.add_argument("--author", metavar="NAME", help="default: timeline.author, or the login name")

    declare = command("declare", "declare an incident, so that there is a timeline to write on")
    declare.add_argument("title", nargs="+", metavar="TITLE")
    declare.add_argument("--severity", type=int, choices=(1, 2, 3, 4), help="1 is critical, 4 is low")
    declare.add_argument("--service", action="append", metavar="NAME", help="affected; may be repeated, or a list")
    declare.add_argument("--impact", metavar="TEXT", help="on customers, in a sentence")
    declare.add_argument("--author", metavar="NAME", help="default: timeline.author, or the login name")
    declare.add_argument("--drill", action="store_true", help="practice: kept out of the statistics")

    incidents = command("incidents", "list the incidents in the store, newest first")
    incidents.add_argument("--json", action="store_true", help="as JSON")

    export = command(
        "export",
        "write an incident out as a post-incident review, as data, or as a bundle of both with its evidence",
        "A Markdown review that is there already is written again with what people filled in between its marks; what "
        "cannot be carried over is never overwritten. The other formats take what people wrote from the review beside "
        "FILE (the same name, ending in .md), or from --review.",
    )
    export.add_argument("incident", metavar="INCIDENT", help="its ID, a prefix of it, or latest")
    export.add_argument(
        "--format",
        choices=("markdown", "html", "json", "csv", "bundle"),
        help="default: what FILE ends in (.md, .html, .json, .csv, .zip), else markdown",
    )
    export.add_argument("-o", "--output", metavar="FILE", help="default: stdout")
    export.add_argument("--review", metavar="FILE", help="the Markdown review that people have filled in")
    export.add_argument("--originals", action="store_true", help="a bundle's evidence with its secrets, as it came")
    export.add_argument("--force", action="store_true", help="overwrite FILE")

    verify = command(
        "verify",
        "check the hash chain of an incident, in the store, in an exported JSON file or in a bundle",
        "Exit status: 0, or 1 naming the first broken entry.",
    )
    verify.add_argument("target", metavar="INCIDENT|FILE")

    report = command(
        "report",
        "how incidents were handled over a period: MTTD, MTTA, MTTR, targets met, repeats, follow-ups",
        "TIME is a day (2026-11-01), an RFC 3339 time, or so long ago (30d). Drills never count, unless only they do.",
    )
    report.add_argument("--json", action="store_true", help="as JSON")
    report.add_argument("--since", metavar="TIME", help="incidents declared from then on; default: all")
    report.add_argument("--until", metavar="TIME", help="incidents declared before then; default: now")
    report.add_argument("--drills", action="store_true", help="count only drills")
    report.add_argument(
        "--repeat-days", type=_count, default=30, metavar="N", help="what repeats within N days counts (default 30)"
    )

    bring = command(
        "import",
        "bring an exported incident (JSON or a bundle) back into the store, its chain verified and intact",
        "Of an incident that is there already, only what is missing is added; one that went another way is refused.",
    )
    bring.add_argument("file", metavar="FILE")
    return parser


def _global_flags(parser: argparse.ArgumentParser, *, after: bool) -> None:
    # A command's parser must not overwrite with its defaults what stood before the command.
    none = argparse.SUPPRESS if after else None
    off = argparse.SUPPRESS if after else False
    flags = parser.add_argument_group("where to look")
    flags.add_argument("--context", metavar="NAME", default=none, help="the kubeconfig's context")
    flags.add_argument("--kubeconfig", metavar="FILE", default=none, help="default: $KUBECONFIG, then ~/.kube/config")
    flags.add_argument(
        "-n",
        "--namespace",
        action="append",
        metavar="NAME",
        dest="more_namespaces" if after else "namespace",
        default=none,
        help="may be repeated, or a comma-separated list; default: the context's",
    )
    flags.add_argument("-A", "--all-namespaces", action="store_true", default=off, help="look at all namespaces")
    ours = parser.add_argument_group("this program")
    ours.add_argument("--config", metavar="FILE", default=none, help="settings; default: ~/.config/warroom/config.toml")
    ours.add_argument(
        "--runbook",
        metavar="FILE",
        default=none,
        help="how to respond and to act: a YAML file, or banking-platform or neutral, which ship",
    )
    ours.add_argument("--store", metavar="PATH", default=none, help="the timeline's database")
    ours.add_argument("--read-only", action="store_true", default=off, help="never change the cluster")
    ours.add_argument("--no-color", action="store_true", default=off, help="no colours, as NO_COLOR does")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 1_000_000:
        raise argparse.ArgumentTypeError(f"expected a whole number up to 1000000, found {text!r}")
    return int(text)


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100_000:  # also refuses nan
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 100000, found {text!r}")
    return value


def _speed(text: str) -> float:
    value = _rate(text)
    if not 0 < value <= 10_000:
        raise argparse.ArgumentTypeError(f"expected a number above 0, at most 10000, found {text!r}")
    return value


class _Version(argparse.Action):
    """Prints the version, looked up only now: importlib.metadata is not free."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"warroom {version('warroom')}")
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())

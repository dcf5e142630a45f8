"""Sequences of writes and reads that nobody thought of, played on both servers.

Two examples of twelve steps in a run of the suite, always the same; ``WARROOM_EXAMPLES=50`` tries a hundred others.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.breadth import FACTOR, examples
from tests.differential.pair import Pair, pair_of
from tests.differential.side import APPLY, JSON_PATCH, MERGE, STRATEGIC, Side
from tests.differential.things import config_map, deployment, is_last, pod
from tests.live.lab import Lab

Json = dict[str, Any]
Step = tuple[str, str, str, Any]  # what is done, to which kind, of which name, with what

GROUPS = {"configmaps": "", "deployments": "apps/v1", "pods": ""}
KINDS, NAMES = st.sampled_from(sorted(GROUPS)), st.sampled_from(["a", "b"])
TEXTS = st.sampled_from(["1", "2", ""])


def containers(draw: Any) -> list[Json]:
    """A list of containers as somebody patches one: by name, some of their fields."""
    found = []
    for name in draw(st.lists(st.sampled_from(["pay", "side"]), unique=True, min_size=1, max_size=2)):
        one: Json = {"name": name, "image": f"{name}:{draw(TEXTS) or 1}"}
        if draw(st.booleans()):
            one["env"] = [
                {"name": key, "value": draw(TEXTS)} for key in draw(st.lists(st.sampled_from("AB"), unique=True))
            ]
        found.append(one)
    return found


@st.composite
def changes(draw: Any, plural: str, nulls: bool) -> Json:
    """A part of an object of a kind, as merge, strategic merge and apply send it.

    ``nulls`` take fields away. In a strategic merge, what a null means where nothing is, has changed since 1.20.
    """
    gone = [None] if nulls else []
    labels = st.dictionaries(st.sampled_from(["tier", "zone"]), st.sampled_from(["x", "y", *gone]), max_size=2)
    change: Json = {"metadata": {"labels": draw(labels)}} if draw(st.booleans()) else {}
    if plural == "configmaps":
        change["data"] = draw(st.dictionaries(st.sampled_from("kl"), st.sampled_from(["1", "2", *gone]), max_size=2))
    elif plural == "deployments":
        spec: Json = {"replicas": draw(st.sampled_from([0, 1, -1]))} if draw(st.booleans()) else {}
        if draw(st.booleans()):
            spec["template"] = {"spec": {"containers": containers(draw)}}
        change["spec"] = spec
    elif draw(st.booleans()):
        change["spec"] = {"containers": [{"name": "pay", "image": f"pay:{draw(TEXTS) or 1}"}]}
    return change


@st.composite
def steps(draw: Any) -> Step:
    plural, name = draw(KINDS), draw(NAMES)
    verb = draw(
        st.sampled_from(["create", "merge", "strategic", "json", "apply", "replace", "scale", "delete", "list"])
    )
    if verb in ("merge", "strategic", "apply", "replace"):
        return verb, plural, name, draw(changes(plural, nulls=verb == "merge"))
    if verb == "json":
        operation = draw(st.sampled_from(["add", "replace", "remove", "test"]))
        # Without labels there is nothing to remove them from: versions of the library differ in what that means.
        path = draw(st.sampled_from(["/metadata/labels/tier", "/metadata/annotations", "/nowhere/at/all"]))
        value: Any = {"note": draw(TEXTS)} if path.endswith("annotations") else draw(st.sampled_from(["x", "y"]))
        if operation in ("replace", "remove"):
            operation = "add"
        return verb, plural, name, [{"op": operation, "path": path, "value": value}]
    if verb == "scale":
        return verb, "deployments", name, draw(st.integers(-1, 2))
    if verb == "delete":
        return verb, plural, name, draw(st.sampled_from([None, {"dryRun": ["All"]}, {"preconditions": {"uid": "1"}}]))
    return verb, plural, name, draw(st.sampled_from(["tier", "tier=x", "!zone", "tier in (x,y)"]))


def _whole(plural: str, name: str) -> Json:
    if plural == "configmaps":
        return config_map(name, {"tier": "x"}, k="0")
    # Paused and without replicas: controllers have little to write, and what they write is not compared.
    return deployment(name, paused=True) if plural == "deployments" else pod(name, {"tier": "x"})


async def play(side: Side, sequence: list[Step]) -> None:
    for plural, group in GROUPS.items():  # what an earlier example left behind
        others = f"{side.at(plural, group=group)}?fieldSelector=metadata.name%21%3Dkube-root-ca.crt"
        await side.delete(others, {"gracePeriodSeconds": 0}, told=False)
    maps = side.at("configmaps")
    version = (await side.get(maps, told=False))["metadata"]["resourceVersion"]
    for at, (verb, plural, name, what) in enumerate(sequence):
        path, all_of_them = side.at(plural, name, group=GROUPS[plural]), side.at(plural, group=GROUPS[plural])
        whole = _whole(plural, name)
        step = f"patch {at} {verb} {plural}/{name} {json.dumps(what)}"
        match verb:
            case "create":
                await side.create(all_of_them, whole, step=step)
            case "merge" | "strategic" | "json":
                media = {"merge": MERGE, "strategic": STRATEGIC, "json": JSON_PATCH}[verb]
                await side.patch(path, what, media, step=step)
            case "apply":
                config = {**whole, **{key: value for key, value in what.items() if key != "metadata"}}
                if plural != "configmaps":
                    config = whole  # half a pod cannot be applied
                # Who scaled a Deployment owns its replicas on the platform only, and would be in the way.
                force = "&force=true" if plural == "deployments" else ""
                await side.ask("PATCH", f"{path}?fieldManager=ci{force}", config, media=APPLY, step=step)
            case "replace":
                await side.ask("PUT", path, whole, step=step)
            case "scale":
                scale = {"metadata": {"name": name, "namespace": side.namespace}, "spec": {"replicas": what}}
                await side.ask("PUT", f"{path}/scale", scale, step=step)
            case "delete":
                await side.delete(path, what, step=step)
            case _:
                await side.get(f"{all_of_them}?labelSelector={what.replace(' ', '%20')}", step=step)
    await side.create(maps, config_map("last"), told=False)  # and all of it once more, as somebody sees it who watches
    await side.watched(f"{maps}?watch=1&timeoutSeconds=30&resourceVersion={version}", is_last)


async def _played(pair: Pair, sequence: list[Step]) -> None:
    await pair.same(lambda side: play(side, sequence))


def test_random_sequences_end_alike(lab: Lab) -> None:
    """One pair for all examples: starting one takes longer than a sequence."""
    with asyncio.Runner() as runner:
        opening = pair_of(lab, "random")
        pair = runner.run(opening.__aenter__())
        try:

            @settings(
                max_examples=examples(2),
                derandomize=FACTOR == 1,  # a run of the suite tries what it tried before
                phases=(Phase.explicit, Phase.generate),  # a sequence says itself where it goes wrong
                deadline=None,
                database=None,
                suppress_health_check=[*HealthCheck],
            )
            @given(st.lists(steps(), min_size=12, max_size=12))
            def compare(sequence: list[Step]) -> None:
                runner.run(_played(pair, sequence))

            compare()
        finally:
            runner.run(opening.__aexit__(None, None, None))

"""What every mitigation is: one small module that plans, acts, verifies, and says how it is undone.

Adding one touches no other file than the table in `runbook.known`, which has its id, its key and its fields.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from probes.errors import NotFound
from runbook.errors import Changed
from runbook.plan import Aim, Json, Need, Outcome, Plan, Target
from runbook.scene import spec_of, target_of

if TYPE_CHECKING:
    from runbook.hands import Hands
    from runbook.scene import Scene

Tell = Callable[[str], None]
"""One line of progress, for the person who watches. Plain text, from anywhere: the widget makes it inert."""

Choices = Mapping[str, str]


class Mitigation(ABC):
    """One row of the table.

    ``place``     where it acts: the cluster, the Azure ``account``, the ``sql`` server (`runbook.outside.Outside`).
    ``actions``   Azure's, that it needs to be allowed at most.
    ``choosable`` the ids of the fields that the runbook file may give a default for.
    ``harmless``  it changes nothing in the cluster: allowed in read-only mode and while disarmed.
    ``looks_only`` it finds something out and mitigates nothing: a review does not count it as the first mitigation.
    ``stoppable`` it may be cancelled while it acts, and leaves nothing half done that matters.
    ``detached``  it acts outside of this process and goes on when the console is left; the next one follows it.
    ``takes``     seconds that what it begins may take by nature (a restore: hours); a verdict is due after them.
    ``patience``  seconds that a verdict may take longer after a crash, because what was begun may still be going on.
    """

    label: ClassVar[str]  # one or two words, for the footer
    sentence: ClassVar[str]  # for the help and the palette
    place: ClassVar[Literal["cluster", "account", "sql"]] = "cluster"
    actions: ClassVar[tuple[str, ...]] = ()
    harmless: ClassVar[bool] = False
    looks_only: ClassVar[bool] = False
    stoppable: ClassVar[bool] = False
    detached: ClassVar[bool] = False
    takes: ClassVar[float] = 0.0
    patience: ClassVar[float] = 0.0

    def __init__(self, id: str, key: str, choosable: tuple[str, ...] = ()) -> None:  # noqa: A002
        self.id = id
        self.key = key
        self.choosable = choosable

    @property
    def programs(self) -> tuple[str, ...]:
        """Programs of this machine that it starts, for `warroom doctor`."""
        return ()

    @abstractmethod
    def refuses(self, aim: Aim) -> str:
        """Why this makes no sense on that row, in a few words for the dim key; empty if it does. Asks nobody."""

    @abstractmethod
    async def plan(self, scene: Scene, aim: Aim, choices: Choices) -> Plan:
        """Look, and say what would be done. Sends nothing but reads and dry runs; takes well under a second.

        ``choices`` are the person's answers to the fields of an earlier plan for the same aim. The gate adds what only
        it knows: whether acting is allowed at all, and how much friction it takes.

        Raises `NoPlan` (it makes no sense here), `ProbeError` (it could not be looked at).
        """

    @abstractmethod
    async def act(self, hands: Hands, scene: Scene, plan: Plan, tell: Tell) -> Json | Outcome:
        """Do what the plan says, once. Returns what is worth keeping as evidence, or the outcome itself where the act
        is its own proof (a check that ran, a command that ended): then nothing is verified afterwards.

        The gate has just seen that the target is the one of the plan; `runbook.precondition` holds it to that until
        the server has answered. Raises `Refused`, `NotSent`, `Uncertain`.
        """

    @abstractmethod
    async def verify(self, scene: Scene, plan: Plan, tell: Tell) -> Outcome:
        """Watch until it is plain whether it helped. Has only the plan: it also runs after a crash."""

    @abstractmethod
    async def took_effect(self, scene: Scene, plan: Plan) -> bool | None:
        """Whether the cluster got the request, found out by looking. None: that cannot be told.

        Asked when no answer came, and at the start of a console that finds an intent without an outcome.
        """

    async def seen(self, scene: Scene, plan: Plan) -> str:
        """What the cluster shows where `took_effect` cannot tell, in words for the verdict. Raises as that does."""
        return ""

    def warned_of(self, plan: Plan) -> bool:
        """Whether the runbook file's warnings are about this plan, and not only about what it takes back."""
        return True

    def relies_on(self, obj: Json) -> object:
        """What of the target the plan relies on; a change of it voids the plan."""
        return spec_of(obj)

    async def again(self, scene: Scene, plan: Plan) -> Target:
        """The plan's target as it is now. Raises `Changed` when it is gone, `ProbeError` when nobody knows."""
        target = plan.target
        try:
            obj = await scene.fetch(target.kind, target.namespace, target.name)
        except NotFound as error:
            raise Changed(f"{target} is not there any more; nothing was sent") from error
        return target_of(scene.cluster, target.kind, obj, self.relies_on)

    def permissions(self, namespace: str) -> tuple[Need, ...]:
        """What it needs to be allowed at most, for `warroom doctor` and the RBAC manifests."""
        return ()

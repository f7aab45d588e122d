"""What a drill has this agent behave like: one service in one region, for as long as it is renewed.

It bends what leaves the agent: probe results, reports, requests for a lease. What the gate and the
fence allow is never loosened by it; an agent that asks for no lease closes its gate by itself when
the one it has ends, as it would if nobody could be reached. What is not renewed is forgotten, so
that directors that die, or cannot be reached, leave nothing broken.
"""

from dataclasses import dataclass, replace

from director.routing.table import RegionId, ServiceId
from regions.core.effects import Note
from regions.core.inputs import InjectionDirected, ProbeFinished
from regions.core.readings import ProbeKey, ProbeTarget, Readings

BLACKHOLE, AGENT_KILL, ERROR_RATE, LATENCY = "Blackhole", "AgentKill", "ErrorRate", "Latency"
KINDS = (BLACKHOLE, AGENT_KILL, ERROR_RATE, LATENCY)
# Whatever a director says, nothing holds longer than this without being said again.
TTL_MS_MAX = 10_000
# A director's late word of a drill is not believed; but one that was restored from a copy counts
# its drills anew, and by then nobody has a late word any more.
_FORGOTTEN_MS = 60_000
_PER_MILLE = 1_000


@dataclass(slots=True)
class _Last:
    """The last word on a drill. ``renewal`` None: that it is over."""

    number: int
    renewal: int | None
    at_ms: int


class Injections:
    """At most one: there is one drill at a time in a fleet.

    Args:
        region_id: The agent's own.
    """

    def __init__(self, region_id: RegionId) -> None:
        self._region_id = region_id
        self._present: InjectionDirected | None = None
        self._until_ms = 0
        self._last: _Last | None = None
        self._rounds: dict[ProbeKey, int] = {}
        self._held: list[tuple[int, ProbeFinished]] = []

    def directed(self, given: InjectionDirected, *, now_ms: int) -> tuple[Note, ...]:
        """Take a director's word, unless it is a late one; return what people should know."""
        if self._is_late(given, now_ms):
            return ()
        is_over = given.ttl_ms == 0
        self._last = _Last(given.number, None if is_over else given.renewal, now_ms)
        if is_over:
            return self._dropped("OVER")
        before, self._present = self._present, given
        self._until_ms = now_ms + min(given.ttl_ms, TTL_MS_MAX)
        if before is not None and before.drill_id == given.drill_id:
            return ()
        self._rounds = {}
        return (_note("injection_began", given),)

    def expire(self, *, now_ms: int) -> tuple[Note, ...]:
        """Forget what nobody renewed; return what people should know."""
        if self._present is None or now_ms < self._until_ms:
            return ()
        return self._dropped("NOT_RENEWED")

    def wake_at_ms(self) -> int | None:
        """Return when a result is due, or the injection is forgotten unless it is renewed.

        None without one.
        """
        if self._present is None:
            return None
        return min([self._until_ms, *(at_ms for at_ms, _ in self._held)])

    def is_mute(self, service_id: ServiceId) -> bool:
        """Tell whether this agent has to say nothing of a service."""
        present = self._present
        return (
            present is not None
            and present.service_id == service_id
            and present.region_id == self._region_id
            and present.kind in (BLACKHOLE, AGENT_KILL)
        )

    def heard(self, readings: Readings) -> Readings:
        """Return what a report may say: nothing of a service that the agent is silent about.

        It does say that it is silent, so that the silence is not taken for the whole agent's.
        """
        if self._present is None or not self.is_mute(self._present.service_id):
            return readings
        mute = self._present.service_id
        # Groups are named after their service.
        return replace(
            readings,
            services=tuple(each for each in readings.services if each.service_id != mute),
            peers=tuple(each for each in readings.peers if each.service_id != mute),
            gates=tuple(
                each for each in readings.gates if each.group_id.rpartition("/")[0] != mute
            ),
            muted=(mute,),
        )

    def probed(
        self, given: ProbeFinished, target: ProbeTarget | None, now_ms: int
    ) -> ProbeFinished | None:
        """Return a probe's result as it would be if what is injected were so.

        None: it would still run, and be cut off at its deadline; ``take_ended`` gives it then.

        Args:
            given: As it was.
            target: What was probed, with the time that it may take; None: nothing any more.
            now_ms: When it ended.
        """
        present = self._present
        if (
            present is None
            or target is None
            or (given.key.service_id, given.key.region_id)
            != (
                present.service_id,
                present.region_id,
            )
        ):
            return given
        # A round trip stands for the whole region: other services are timed by it.
        given = replace(given, rtt_us=None)
        match present.kind:
            case _ if present.kind == BLACKHOLE:
                # The service goes on in its region, where nobody is told of it.
                fails = given.key.region_id != self._region_id
            case _ if present.kind == ERROR_RATE:
                fails = self._is_of_share(given.key, present.share_per_mille)
            case _ if present.kind == LATENCY:
                fails = now_ms - given.started_at_ms + present.delay_ms > target.timeout_ms
            case _:
                fails = False
        if not fails:
            return given
        failed = replace(given, passed=False)
        ends_at_ms = given.started_at_ms + target.timeout_ms
        # Errors come at once; silence is waited for, and detection takes as long as it would.
        if not given.passed or present.kind == ERROR_RATE or now_ms >= ends_at_ms:
            return failed
        self._held.append((ends_at_ms, failed))
        return None

    def take_ended(self, *, now_ms: int) -> tuple[ProbeFinished, ...]:
        """Return the results that were held back and are due."""
        if not self._held:
            return ()
        ended = tuple(each for at_ms, each in self._held if at_ms <= now_ms)
        self._held = [(at_ms, each) for at_ms, each in self._held if at_ms > now_ms]
        return ended

    def _is_of_share(self, key: ProbeKey, share_per_mille: int) -> bool:
        """Spread the share evenly over the rounds: of 250 per mille every fourth one."""
        rounds = self._rounds[key] = self._rounds.get(key, 0) + 1
        return rounds * share_per_mille // _PER_MILLE > (rounds - 1) * share_per_mille // _PER_MILLE

    def _is_late(self, given: InjectionDirected, now_ms: int) -> bool:
        last = self._last
        if last is None or now_ms - last.at_ms > _FORGOTTEN_MS or given.number > last.number:
            return False
        if given.number < last.number or last.renewal is None:
            return True
        return given.ttl_ms > 0 and given.renewal <= last.renewal

    def _dropped(self, reason: str) -> tuple[Note, ...]:
        present, self._present = self._present, None
        self._rounds = {}
        # They had passed; nothing keeps them back any more.
        self._held = [(0, replace(each, passed=True)) for _, each in self._held]
        return () if present is None else (_note("injection_ended", present, ("reason", reason)),)


def _note(event: str, given: InjectionDirected, *values: tuple[str, str | int]) -> Note:
    named = (
        ("drill_id", given.drill_id),
        ("service_id", given.service_id),
        ("region_id", given.region_id),
        ("kind", given.kind),
    )
    return Note(event, (*named, *values))

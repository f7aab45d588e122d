"""Keeps the latest word of every agent and replica, and answers questions about it.

Soft state: each replica has its own, nothing of it is replicated. Mutable, but pure: it knows only
the instants it is handed, all on the local boot-time clock of this replica. What it keeps is
bounded by the topology, which says what may be spoken of, and by a number of agents per region.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from director.core.agent_view import AgentKey, AgentView, Pair, PeerWord, ReplicaView
from director.core.ids import FencingToken, GroupId, ReplicaId
from director.core.lag_log import LagLog, LagSample
from director.core.load_log import LOAD_AGE_MS_MAX, LoadLog
from director.core.observations import (
    AgentReport,
    GateReading,
    PeerReading,
    Readings,
    ReplicaReport,
)
from director.core.topology import NO_TOPOLOGY, Topology
from director.routing.table import RegionId, ServiceId

# A delayed report of an earlier boot must not be taken for a later one. A sidecar that restarts
# more often than this within a report's time on the wire has other troubles.
_RETIRED_BOOTS_MAX = 8
# Allowed for the way of a report from another replica, which nobody measures: the staleness bound.
# What took longer than that is too old to count for anything else either.
_RELAY_TRANSIT_MS = 2_000
# An agent unheard for this long is forgotten: pods that were replaced would pile up for ever.
_FORGOTTEN_MS = 600_000
_SWEEP_EVERY_MS = 10_000
# Where a region is full, a new agent takes the place of one unheard for this long: several beats,
# and short enough that replacing every pod at once leaves no region unheard.
_MAKES_WAY_MS = 2_000
AGENTS_PER_REGION_MAX = 256
# What no drill has anybody be silent about.
_ANY_SERVICE = ServiceId("")
# Before there is a manifest regions are not limited by it.
AGENTS_MAX = 10_000


class ObservationLog:
    """The observations of one replica.

    Args:
        topology: What is declared; nothing else is spoken of.
    """

    def __init__(self, topology: Topology = NO_TOPOLOGY) -> None:
        self.agents: dict[AgentKey, AgentView] = {}
        self.replicas: dict[ReplicaId, ReplicaView] = {}
        self._by_region: dict[RegionId, list[AgentView]] = {}
        self._observers: dict[Pair, list[AgentKey]] = {}
        self._lag = LagLog()
        self._loads = LoadLog()
        self._dirty: set[Pair] = set()
        self._known = _pairs_of(topology)
        self._swept_at_ms: int | None = None

    # -- bounds ----------------------------------------------------------------------------------

    def know(self, topology: Topology) -> None:
        """Speak of what ``topology`` declares from now on, also as reported before."""
        known = _pairs_of(topology)
        if known == self._known:
            return
        self._known = known
        self._lag.forget_others(known)
        self._loads.forget_others(known)
        self._dirty &= known
        for view in self.agents.values():
            self._take_services(view)
            self._take_peers(view)
            for service_id, sample in view.early_lags.items():
                if (service_id, view.region_id) in known:
                    self._lag.take((service_id, view.region_id), sample)

    def sweep(self, *, now_ms: int) -> None:
        """Forget agents unheard for long. Cheap to call often: it looks every ten seconds."""
        if self._swept_at_ms is not None and now_ms - self._swept_at_ms < _SWEEP_EVERY_MS:
            return
        self._swept_at_ms = now_ms
        for view in list(self.agents.values()):
            if now_ms - view.last_heard_ms > _FORGOTTEN_MS:
                self._drop(view)

    def _make_room(self, region_id: RegionId, now_ms: int) -> bool:
        """Return whether one more agent of the region can be kept."""
        views = self._by_region.get(region_id, ())
        if len(views) >= AGENTS_PER_REGION_MAX:
            silent = min(views, key=lambda each: each.last_heard_ms)
            if now_ms - silent.last_heard_ms <= _MAKES_WAY_MS:
                return False
            self._drop(silent)
        return len(self.agents) < AGENTS_MAX

    def _drop(self, view: AgentView) -> None:
        key = (view.region_id, view.agent_id)
        self._unlist(key, view.peer_places)
        del self.agents[key]
        self._by_region[view.region_id].remove(view)
        if not self._by_region[view.region_id]:
            del self._by_region[view.region_id]

    def _unlist(self, key: AgentKey, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            observers = self._observers[pair]
            del observers[bisect_left(observers, key)]
            if not observers:
                del self._observers[pair]

    # -- taking in -------------------------------------------------------------------------------

    def observe(self, report: AgentReport, *, now_ms: int, is_direct: bool = True) -> bool:
        """Fold a report in. Returns whether what it says is news worth relaying at once.

        Args:
            report: What arrived.
            now_ms: When.
            is_direct: This replica heard the agent itself; False for what another one relays.
        """
        view = self._view_of(report, now_ms)
        if view is None or report.counter <= view.counter_at.get(report.heard_by, 0):
            return False  # a replay, or a report that was overtaken
        view.counter_at[report.heard_by] = report.counter
        heard_ms = now_ms - report.age_ms
        view.note_heard(report.heard_by, heard_ms)
        if is_direct:
            view.direct_at_ms, view.unanswered = now_ms, report.unanswered
        # A beat without readings does not overtake readings that come the longer way, by a relay.
        if report.readings is None:
            return False
        self._sample_lags(view, report, report.readings, now_ms=now_ms, is_direct=is_direct)
        if report.counter <= view.counter:
            return False
        view.counter = report.counter
        return self._replace_readings(view, report.readings, heard_ms)

    def observe_replica(self, report: ReplicaReport, *, now_ms: int) -> None:
        """Note how far another replica, or this one, is."""
        self.replicas[report.replica_id] = ReplicaView(report, now_ms)

    def _view_of(self, report: AgentReport, now_ms: int) -> AgentView | None:
        key = (report.region_id, report.agent_id)
        view = self.agents.get(key)
        if view is not None and view.boot_id == report.boot_id:
            return view
        if view is not None and report.boot_id in view.retired_boots:
            return None
        retired = () if view is None else (*view.retired_boots, view.boot_id)[-_RETIRED_BOOTS_MAX:]
        fresh = AgentView(report.region_id, report.agent_id, report.boot_id, retired_boots=retired)
        if view is not None:
            # Who heard the earlier boot heard the region: a restart is no silence.
            fresh.heard_at_ms, fresh.last_heard_ms = dict(view.heard_at_ms), view.last_heard_ms
            self._drop(view)
        elif not self._make_room(report.region_id, now_ms):
            return None
        self.agents[key] = fresh
        self._by_region.setdefault(report.region_id, []).append(fresh)
        return fresh

    def _replace_readings(self, view: AgentView, readings: Readings, at_ms: int) -> bool:
        before, view.readings, view.full_at_ms = view.readings, readings, at_ms
        news = before.gates != readings.gates
        muted = view.take_muted()
        self._dirty.update(
            pair for each in muted if (pair := (each, view.region_id)) in self._known
        )
        news = self._take_services(view) or bool(muted) or news
        if not _says_the_same(before.peers, readings.peers):
            news = self._take_peers(view, before.peers) or news
        return news

    def _take_services(self, view: AgentView) -> bool:
        """Note what the agent says of its own region, and return whether that is urgent."""
        news = False
        before = view.services
        view.services = {
            each.service_id: each
            for each in view.readings.services
            if (each.service_id, view.region_id) in self._known
        }
        for service_id, service in view.services.items():
            self._loads.take((service_id, view.region_id), service.load_rps, view.full_at_ms)
            was = before.get(service_id)
            if was is None or was.passing is not service.passing:
                self._dirty.add((service_id, view.region_id))
                # First words that are good can wait for the next tick: a thousand agents say them.
                news = news or was is not None or service.passing is False
        return news

    def _take_peers(self, view: AgentView, before: tuple[PeerReading, ...] | None = None) -> bool:
        """Note of which pairs the agent says something new, and return whether that is urgent.

        Args:
            view: The agent.
            before: What it said before; None if only what is declared changed.
        """
        news = False
        key = (view.region_id, view.agent_id)
        peers = view.readings.peers
        before = peers if before is None else before
        passing = {pair: before[place].passing for pair, place in view.peer_places.items()}
        view.peer_places = {
            pair: place
            for place, each in enumerate(peers)
            if (pair := (each.service_id, each.region_id)) in self._known
        }
        for pair, place in view.peer_places.items():
            now = peers[place].passing
            is_first = pair not in passing
            if is_first:
                insort(self._observers.setdefault(pair, []), key)
            if is_first or passing[pair] is not now:
                self._dirty.add(pair)
                news = news or not is_first or now is False
        self._unlist(key, passing.keys() - view.peer_places.keys())
        self._weigh(view)
        return news

    def _weigh(self, view: AgentView) -> None:
        """Note whether the agent is to be believed; its other accusations stand or fall with it."""
        peers = view.readings.peers
        passing: dict[RegionId, bool] = {}
        for (_, region_id), place in view.peer_places.items():
            ok = peers[place].passing is not False
            passing[region_id] = passing.get(region_id, False) or ok
        # Seeing one other region proves nothing either way.
        accuses = len(passing) >= 2 and not any(passing.values())  # noqa: PLR2004
        if accuses != view.accuses_everyone:
            view.accuses_everyone = accuses
            self._dirty.update(
                pair for pair, place in view.peer_places.items() if peers[place].passing is False
            )

    def _sample_lags(
        self,
        view: AgentView,
        report: AgentReport,
        readings: Readings,
        *,
        now_ms: int,
        is_direct: bool,
    ) -> None:
        """Note how far the copies were behind, if it is known when (D3).

        A report that was on its way for long seems to be of a later moment than it is. So without a
        bound on that time the lag stays unknown, and what another replica heard counts only while
        the agent is not heard here.
        """
        slack_ms = report.transit_ms_max
        if slack_ms is None:
            return
        if not is_direct:
            heard_ms = view.direct_at_ms
            if heard_ms is not None and now_ms - heard_ms <= _RELAY_TRANSIT_MS:
                return
            slack_ms += _RELAY_TRANSIT_MS
        view.early_lags = {}
        gates: dict[str, list[GateReading]] = {}
        for gate in readings.gates:
            gates.setdefault(gate.group_id.rpartition("/")[0], []).append(gate)
        for service in readings.services:
            if service.lag_ms is None:
                continue
            at_ms = now_ms - report.age_ms - service.lag_age_ms
            own = tuple(gates.get(service.service_id, ()))
            sample = LagSample(at_ms, service.lag_ms, slack_ms, is_direct, own)
            pair = (service.service_id, view.region_id)
            if pair in self._known:
                self._lag.take(pair, sample)
            else:
                view.early_lags[service.service_id] = sample

    # -- asking ----------------------------------------------------------------------------------

    def take_dirty(self) -> set[Pair]:
        """Return the pairs whose evidence changed since the last call."""
        dirty, self._dirty = self._dirty, set()
        return dirty

    def touch(self, pair: Pair) -> None:
        """Have a pair looked at again."""
        self._dirty.add(pair)

    def agents_in(self, region_id: RegionId) -> list[AgentView]:
        """Every agent of a region that was ever heard."""
        return self._by_region.get(region_id, [])

    def last_heard_ms(
        self, region_id: RegionId, service_id: ServiceId = _ANY_SERVICE
    ) -> int | None:
        """When any agent of the region was last heard by any replica; None if never.

        Of ``service_id``, agents that a drill has be silent about it are heard no more.
        """
        last_ms: int | None = None
        for view in self._by_region.get(region_id, ()):
            heard_ms = view.last_heard_of_ms(service_id)
            if last_ms is None or heard_ms > last_ms:
                last_ms = heard_ms
        return last_ms

    def heard_at_ms(
        self, region_id: RegionId, replica_id: ReplicaId, service_id: ServiceId = _ANY_SERVICE
    ) -> int | None:
        """When one replica last heard any agent of the region; None if never."""
        heard = [view.heard_of_ms(service_id, replica_id) for view in self.agents_in(region_id)]
        return max((each for each in heard if each is not None), default=None)

    def self_reading(
        self, pair: Pair, *, now_ms: int, fresh_ms: int
    ) -> tuple[bool | None, int] | None:
        """What the region's own agents say of the service, and its age; None if none is fresh.

        With several agents (sidecars) one that fails counts for less than one that passes: the
        region serves as long as one of its agents sees it serve.
        """
        service_id, region_id = pair
        best: tuple[bool | None, int] | None = None
        for view in self._by_region.get(region_id, ()):
            service = view.services.get(service_id)
            if service is None:
                continue
            age_ms = now_ms - view.last_heard_ms
            if age_ms > fresh_ms:
                continue
            if best is None or _rank(service.passing) > _rank(best[0]):
                best = (service.passing, age_ms)
        return best

    def peer_words(self, pair: Pair) -> Iterator[PeerWord]:
        """What agents elsewhere said of the pair, in order of their names."""
        for key in self._observers.get(pair, ()):
            view = self.agents[key]
            place = view.peer_places.get(pair)
            if place is not None and key[0] != pair[1]:
                reading = view.readings.peers[place]
                at_ms = view.full_at_ms - reading.age_ms
                yield PeerWord(key, reading, at_ms, is_believed=not view.accuses_everyone)

    def gates(self, region_id: RegionId, group_id: GroupId) -> list[tuple[AgentView, GateReading]]:
        """The gates of a group in a region, as their agents last reported them."""
        return [
            (view, gate)
            for view in self.agents_in(region_id)
            for gate in view.readings.gates
            if gate.group_id == group_id
        ]

    def is_gate_open(
        self, region_id: RegionId, group_id: GroupId, token: FencingToken, *, since_ms: int = -1
    ) -> bool:
        """Whether some agent heard after ``since_ms`` accepts writes under exactly ``token``."""
        return any(
            gate.is_open and gate.token == token and view.last_heard_ms > since_ms
            for view, gate in self.gates(region_id, group_id)
        )

    def keep_lag(self, pair: Pair, *, until_ms: int) -> None:
        """Keep what is known of a copy from before ``until_ms``, when its home was suspected."""
        self._lag.keep(pair, until_ms=until_ms)

    def load_rps(self, pair: Pair, *, now_ms: int, age_ms_max: int = LOAD_AGE_MS_MAX) -> int | None:
        """What the service was last said to take in the region; None if nobody said it lately."""
        return self._loads.load_rps(
            pair, self.agents_in(pair[1]), now_ms=now_ms, age_ms_max=age_ms_max
        )

    def lag_samples(self, pair: Pair) -> tuple[LagSample, ...]:
        """Samples of how far a copy was behind: those kept, then the latest, as they came."""
        return self._lag.samples(pair)


def _pairs_of(topology: Topology) -> frozenset[Pair]:
    return frozenset(
        (service.service_id, site.region_id)
        for service in topology.services
        for site in service.sites
    )


def _rank(passing: bool | None) -> int:  # noqa: FBT001 - the value itself
    return {True: 2, None: 1, False: 0}[passing]


def _says_the_same(before: tuple[PeerReading, ...], now: tuple[PeerReading, ...]) -> bool:
    """Whether two reports watch the same and find the same, whatever the rounds and ages."""
    return len(before) == len(now) and all(
        was.passing is each.passing
        and was.service_id == each.service_id
        and was.region_id == each.region_id
        for was, each in zip(before, now, strict=True)
    )

"""D2, D3: what a failover loses is within its bound and the RPO; a switchover loses nothing.

A copy of a service is described by its segments: (token, position of the last record under it).
Every record in a segment was acknowledged, so the writes that a new owner lacks are known exactly.
"""

from dataclasses import dataclass, field

from director.core.commands import RunKind
from director.core.state import Run, State

Token = tuple[int, int]
Records = tuple[tuple[Token, int], ...]
"""What a copy holds: up to which position it has records of which token. Positions begin at 1."""

# The bound is in director time, the loss in true time: clocks differ by up to 5 % each way.
_DRIFT_PER_MILLE = 25
_SLACK_MS = 10


def appended(records: Records, token: Token) -> Records:
    """Return ``records`` with one more, written under ``token``."""
    position = length_of(records) + 1
    if records and records[-1][0] == token:
        return (*records[:-1], (token, position))
    return (*records, (token, position))


def length_of(records: Records) -> int:
    """How many records a copy holds."""
    return records[-1][1] if records else 0


def common_length(one: Records, other: Records) -> int:
    """Up to which position two copies hold the same records."""
    agreed = 0
    for (token, end), (other_token, other_end) in zip(one, other, strict=False):
        if token != other_token:
            return agreed
        agreed = min(end, other_end)
        if end != other_end:
            return agreed
    return agreed


@dataclass(frozen=True, slots=True)
class Loss:
    """Acknowledged writes that a new owner did not have.

    Attributes:
        span_ms: From the oldest of them to the last write that was acknowledged before.
    """

    service_id: str
    token: Token
    kind: str
    count: int
    span_ms: int
    bound_ms: int | None


@dataclass(slots=True)
class _Chain:
    """The writes that count: those of the owners so far, without what was lost."""

    records: Records = ()
    acknowledged_ms: list[int] = field(default_factory=list)
    token: Token = (0, 0)
    last_ms: int = 0


class NoLostWrite:
    """Measures the loss at the first write of each new owner.

    Attributes:
        losses: Every move of ownership with what it cost, for summaries.
    """

    def __init__(self) -> None:
        self.losses: list[Loss] = []
        self._chains: dict[str, _Chain] = {}
        self._run_by_token: dict[tuple[str, Token], Run | None] = {}
        self._excused: set[str] = set()

    def restored(self) -> None:
        """The directors forgot who owned last: what the next owner has is nobody's promise."""
        self._excused.update(self._chains)

    def changed(self, before: State, after: State) -> None:
        """Learn which run granted which token."""
        if after.generation != before.generation:
            self._excused.update(group.service_id for group in after.groups)
        if after.groups is before.groups:
            return
        known = {group.group_id: group for group in before.groups}
        for group in after.groups:
            was = known.get(group.group_id)
            if was is group or group.home is None:
                continue
            token = (after.generation, group.epoch)
            key = (group.service_id, token)
            if key not in self._run_by_token:
                self._run_by_token[key] = _granting_run(after, group.service_id, token)
                if (was is None or was.home is None) and group.epoch > 1:
                    self._excused.add(group.service_id)  # it comes back after a removal

    def acknowledged(
        self,
        region_id: str,
        token: Token,
        *,
        now_ms: int,
        records: Records,
        service_id: str = "chat",
    ) -> None:
        """``region_id`` acknowledged a write; ``records`` is what its copy holds, with that one."""
        chain = self._chains.setdefault(service_id, _Chain())
        assert records[-1:] == ((token, length_of(records)),), (
            f"{region_id} wrote under {token}: {records}"
        )
        position = length_of(records)
        if token == chain.token:
            same = position == len(chain.acknowledged_ms) + 1 and (
                records[:-1] == chain.records[:-1]
            )
            assert same, (
                f"{region_id} lost writes of its own under {token}: {records} after {chain.records}"
            )
        else:
            self._take_over(service_id, chain, token, records)
            chain.token = token
        chain.records = records
        chain.acknowledged_ms.append(now_ms)
        chain.last_ms = now_ms

    def _runs_since(self, service_id: str, written: Token, token: Token) -> list[Run | None]:
        """The runs of every token after the last that wrote, up to ``token``, oldest first.

        An owner that never wrote was never measured, so what its run lost shows only now.
        """
        return [
            run
            for (each_id, each), run in sorted(self._run_by_token.items(), key=lambda item: item[0])
            if each_id == service_id and written < each < token
        ] + [self._run_by_token.get((service_id, token))]

    def _take_over(self, service_id: str, chain: _Chain, token: Token, records: Records) -> None:
        had = length_of(records) - 1
        kept = min(had, common_length(chain.records, records))
        runs = self._runs_since(service_id, chain.token, token)
        run = runs[-1]
        count = len(chain.acknowledged_ms) - kept
        span_ms = chain.last_ms - chain.acknowledged_ms[kept] if count else 0
        is_excused = service_id in self._excused
        self._excused.discard(service_id)
        if not is_excused:
            kind = "none" if run is None else str(run.kind)
            bound_ms = None if run is None else run.loss_bound_ms
            loss = Loss(service_id, token, kind, count, span_ms, bound_ms)
            self.losses.append(loss)
            moves = [each for each in runs if each is not None]
            if all(each.rpo_ms is not None for each in moves):  # otherwise nothing is promised
                _judge(moves, loss)
                assert had == kept, (
                    f"{service_id} shows {had - kept} writes again under {token} that were lost"
                )
        del chain.acknowledged_ms[kept:]
        # What came with the copy besides: nobody knows when it was acknowledged.
        chain.acknowledged_ms += [chain.last_ms] * (had - kept)


def _judge(runs: list[Run], loss: Loss) -> None:
    """Compare a loss with what the runs since the last write were allowed to lose.

    Each is allowed to lose the writes of the owner it replaces, and only the last owner that wrote
    has any: so the loss is that of one of the runs, and the widest bound of them holds for all.
    """
    what = f"{loss.service_id}, {loss.token}: {loss.count} writes of {loss.span_ms} ms were lost"
    if not runs:
        assert loss.count == 0, f"{what} although nobody else took over"
        return
    names = ", ".join(f"{each.run_id} ({each.source} to {each.target})" for each in runs)
    failovers = [each for each in runs if each.kind is RunKind.FAILOVER]
    if not failovers:
        assert loss.count == 0, f"{what} by {names}, which was planned"
        return
    for run in failovers:
        is_known = run.loss_bound_ms is not None or not run.automatic
        assert is_known, f"{run.run_id} began with an unknown loss bound"
    limits_ms = [_limit_ms(each) for each in failovers]
    known_ms = [each for each in limits_ms if each is not None]
    if len(known_ms) < len(limits_ms):
        return  # an operator accepted a loss of unknown size
    limit_ms = max(known_ms)
    most_ms = limit_ms + limit_ms * _DRIFT_PER_MILLE // 1_000 + _SLACK_MS
    assert loss.span_ms <= most_ms, f"{what} by {names}; bounds and RPO allow {limit_ms} ms"


def _limit_ms(run: Run) -> int | None:
    """What a failover may lose: its bound, and for an automatic one the RPO; None is anything."""
    assert run.rpo_ms is not None, "without an objective nothing is promised"
    if run.loss_bound_ms is None:
        return None
    return min(run.loss_bound_ms, run.rpo_ms) if run.automatic else run.loss_bound_ms


def _granting_run(state: State, service_id: str, token: Token) -> Run | None:
    for run in reversed(state.runs):
        if run.service_id == service_id and run.source_epoch + 1 == token[1]:
            group = state.group(run.group_id)
            return run if group is not None and group.home == run.target else None
    return None

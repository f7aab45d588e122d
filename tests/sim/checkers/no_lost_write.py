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

    def _take_over(self, service_id: str, chain: _Chain, token: Token, records: Records) -> None:
        had = length_of(records) - 1
        kept = min(had, common_length(chain.records, records))
        run = self._run_by_token.get((service_id, token))
        count = len(chain.acknowledged_ms) - kept
        span_ms = chain.last_ms - chain.acknowledged_ms[kept] if count else 0
        is_excused = service_id in self._excused
        self._excused.discard(service_id)
        if not is_excused:
            kind = "none" if run is None else str(run.kind)
            bound_ms = None if run is None else run.loss_bound_ms
            loss = Loss(service_id, token, kind, count, span_ms, bound_ms)
            self.losses.append(loss)
            _judge(run, loss)
            if run is None or run.rpo_ms is not None:
                assert had == kept, (
                    f"{service_id} shows {had - kept} writes again under {token} that were lost"
                )
        del chain.acknowledged_ms[kept:]
        # What came with the copy besides: nobody knows when it was acknowledged.
        chain.acknowledged_ms += [chain.last_ms] * (had - kept)


def _judge(run: Run | None, loss: Loss) -> None:
    what = f"{loss.service_id}, {loss.token}: {loss.count} writes of {loss.span_ms} ms were lost"
    if run is None:
        assert loss.count == 0, f"{what} although nobody else took over"
        return
    if run.rpo_ms is None:
        return  # no lag is declared: nothing is promised
    if run.kind is not RunKind.FAILOVER:
        assert loss.count == 0, f"{what} by {run.run_id}, a {run.kind}"
        return
    allowed_ms = []
    if run.loss_bound_ms is not None:
        allowed_ms.append(run.loss_bound_ms)
    if run.automatic:
        assert run.loss_bound_ms is not None, f"{run.run_id} began with an unknown loss bound"
        allowed_ms.append(run.rpo_ms)
    for limit_ms in allowed_ms:
        most_ms = limit_ms + limit_ms * _DRIFT_PER_MILLE // 1_000 + _SLACK_MS
        assert loss.span_ms <= most_ms, (
            f"{what} by {run.run_id} ({run.source} to {run.target}); its bound was "
            f"{run.loss_bound_ms} ms, the RPO is {run.rpo_ms} ms"
        )


def _granting_run(state: State, service_id: str, token: Token) -> Run | None:
    for run in reversed(state.runs):
        if run.service_id == service_id and run.source_epoch + 1 == token[1]:
            group = state.group(run.group_id)
            return run if group is not None and group.home == run.target else None
    return None

"""A1, A5: no two regions may act on one active-passive service at the same time."""

from collections import defaultdict

Token = tuple[int, int]


class OneOwner:
    """Compares permits in true time, whatever the clocks of the regions show."""

    def __init__(self) -> None:
        self._permits: defaultdict[str, dict[str, tuple[Token, int]]] = defaultdict(dict)
        self._region_by_token: dict[tuple[str, Token], str] = {}
        self.handover_count = 0

    def permitted(
        self, region_id: str, token: Token, *, now_ms: int, until_ms: int, service_id: str = "chat"
    ) -> None:
        """A gate allowed ``region_id`` to write strictly before ``until_ms``."""
        permits = self._permits[service_id]
        before = permits.get(region_id)
        if before is None or before[0] != token:
            owner = self._region_by_token.setdefault((service_id, token), region_id)
            assert owner == region_id, (
                f"{service_id}, token {token}: both {owner} and {region_id} may write"
            )
            self.handover_count += 1
        else:
            until_ms = max(until_ms, before[1])
        for other, (other_token, other_until_ms) in permits.items():
            assert other == region_id or other_until_ms <= now_ms, (
                f"{region_id} may write {service_id} under {token} at {now_ms} ms although "
                f"{other} may under {other_token} until {other_until_ms} ms"
            )
        permits[region_id] = (token, until_ms)

    def acknowledged(
        self, region_id: str, token: Token, *, now_ms: int, service_id: str = "chat"
    ) -> None:
        """A write was acknowledged, so a permit for it must be good at this instant."""
        permit = self._permits[service_id].get(region_id)
        assert permit is not None, f"{region_id} acknowledged {service_id} without any permit"
        held, until_ms = permit
        assert held >= token, f"{region_id} acknowledged under {token}; its permit says {held}"
        assert held != token or now_ms < until_ms, (
            f"{region_id} acknowledged under {token} at {now_ms} ms; its permit ended at {until_ms}"
        )

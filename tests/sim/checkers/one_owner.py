"""A1: no two regions may act on one active-passive service at the same time."""

Token = tuple[int, int]


class OneOwner:
    """Compares permits in true time, whatever the clocks of the regions show."""

    def __init__(self) -> None:
        self._permit_by_region: dict[str, tuple[Token, int]] = {}
        self._region_by_token: dict[Token, str] = {}
        self.handover_count = 0

    def permitted(self, region_id: str, token: Token, *, now_ms: int, until_ms: int) -> None:
        """A gate allowed ``region_id`` to write strictly before ``until_ms``."""
        owner = self._region_by_token.setdefault(token, region_id)
        assert owner == region_id, f"token {token}: both {owner} and {region_id} may write"
        before = self._permit_by_region.get(region_id)
        self.handover_count += before is None or before[0] != token
        for other, (other_token, other_until_ms) in self._permit_by_region.items():
            assert other == region_id or other_until_ms <= now_ms, (
                f"{region_id} may write under {token} at {now_ms} ms although {other} may under "
                f"{other_token} until {other_until_ms} ms"
            )
        if before is not None and before[0] == token:
            until_ms = max(until_ms, before[1])
        self._permit_by_region[region_id] = (token, until_ms)

    def acknowledged(self, region_id: str, token: Token, *, now_ms: int) -> None:
        """A write was acknowledged, so a permit for it must be good at this instant."""
        held, until_ms = self._permit_by_region[region_id]
        assert held >= token, f"{region_id} acknowledged under {token}; its permit says {held}"
        assert held != token or now_ms < until_ms, (
            f"{region_id} acknowledged under {token} at {now_ms} ms; its permit ended at {until_ms}"
        )

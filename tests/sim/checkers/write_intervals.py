"""A1: spans of acknowledged writes under successive tokens never overlap, nor share a region."""

Token = tuple[int, int]
_NEVER: tuple[Token, int] = ((0, 0), 0)


class WriteIntervals:
    """Looks at each acknowledgement as it happens; true time only goes forward."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Token, int]] = {}
        self._region_by_token: dict[tuple[str, Token], str] = {}
        self.count = 0

    @property
    def last(self) -> tuple[Token, int]:
        """Token and instant of the last acknowledged write of the first service."""
        return self.last_of("chat")

    def last_of(self, service_id: str) -> tuple[Token, int]:
        """Token and instant of the last acknowledged write of a service."""
        return self._last.get(service_id, _NEVER)

    def acknowledged(
        self, region_id: str, token: Token, *, now_ms: int, service_id: str = "chat"
    ) -> None:
        """Take the acknowledgement of one write."""
        newest = self._last.get(service_id, _NEVER)[0]
        if token != newest:
            assert token > newest, (
                f"{region_id} acknowledged {service_id} under {token} at {now_ms} ms, after the "
                f"first write under {newest} by {self._region_by_token[service_id, newest]}"
            )
        writer = self._region_by_token.setdefault((service_id, token), region_id)
        assert writer == region_id, (
            f"{service_id}, token {token}: {writer} and {region_id} acknowledged writes"
        )
        self.count += 1
        self._last[service_id] = (token, now_ms)

"""A1: spans of acknowledged writes under successive tokens never overlap, nor share a region."""

Token = tuple[int, int]


class WriteIntervals:
    """Looks at each acknowledgement as it happens; true time only goes forward."""

    def __init__(self) -> None:
        self._newest: Token = (0, 0)
        self._region_by_token: dict[Token, str] = {}
        self.count = 0
        self.last: tuple[Token, int] = ((0, 0), 0)

    def acknowledged(self, region_id: str, token: Token, *, now_ms: int) -> None:
        writer = self._region_by_token.setdefault(token, region_id)
        assert writer == region_id, f"token {token}: {writer} and {region_id} acknowledged writes"
        assert token >= self._newest, (
            f"{region_id} acknowledged under {token} at {now_ms} ms, after the first write under "
            f"{self._newest} by {self._region_by_token[self._newest]}"
        )
        self._newest = token
        self.count += 1
        self.last = (token, now_ms)

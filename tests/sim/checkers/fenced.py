"""A3: an agent acts only under the highest token that its disk holds, and keeps its promises."""

Token = tuple[int, int]
_NO_TOKEN: Token = (0, 0)


class Fenced:
    """Knows what the disk of each agent holds of each service. Agents come and go; disks stay."""

    def __init__(self) -> None:
        self._durable: dict[tuple[str, str], tuple[Token, str | None, Token]] = {}

    def kept(
        self,
        region_id: str,
        token: Token,
        *,
        home: str | None,
        demoted_through: Token | None,
        service_id: str = "chat",
    ) -> None:
        """The disk of the region's agent holds this now; or it was found there at a start."""
        promised = _NO_TOKEN if demoted_through is None else demoted_through
        known = self._durable.get((region_id, service_id))
        if known is not None:
            assert token >= known[0], f"{region_id} forgot {known[0]} and keeps {token}"
            assert promised >= known[2], (
                f"{region_id} forgot that it promised never to act under {known[2]}"
            )
            assert token != known[0] or home == known[1], (
                f"{region_id} was told two homes under {token}: {known[1]} and {home}"
            )
        self._durable[region_id, service_id] = (token, home, promised)

    def known_token(self, region_id: str, service_id: str = "chat") -> Token:
        """The highest token of a service that the disk of the region's agent holds."""
        return self._durable.get((region_id, service_id), (_NO_TOKEN, None, _NO_TOKEN))[0]

    def acts(self, region_id: str, token: Token, *, service_id: str = "chat") -> None:
        """The region's gate is open under ``token``, or its agent asks for a lease on it."""
        durable, home, promised = self._durable.get(
            (region_id, service_id), (_NO_TOKEN, None, _NO_TOKEN)
        )
        assert token >= durable, f"{region_id} acts under {token} although it knows {durable}"
        assert token <= durable, f"{region_id} acts under {token}; its disk has only {durable}"
        assert home == region_id, f"{region_id} acts under {token}, which belongs to {home}"
        assert promised < token, f"{region_id} promised never to act under {promised}, and does"

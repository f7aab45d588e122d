"""Carries out that a leader gives its office up."""

import structlog
from structlog.typing import FilteringBoundLogger

from director.consensus.port import Consensus, ConsensusError
from director.core.effects import HandOver

log: FilteringBoundLogger = structlog.get_logger()


async def hand_over(consensus: Consensus, effect: HandOver) -> None:
    """Give the office to a replica that hears the agents; if it fails, the core tries again."""
    try:
        await consensus.transfer(effect.to)
    except ConsensusError as error:
        log.warning(
            "leadership_not_transferred", to=effect.to, reason=effect.reason, error=str(error)
        )
    else:
        log.warning("leadership_handed_over", to=effect.to, reason=effect.reason)

"""What an engine's refusal of a proposal means to the caller who waits for it."""

from director.consensus.port import (
    ConsensusError,
    EngineFailedError,
    NotLeaderError,
    OverloadedError,
    PayloadTooLargeError,
)
from director.service import errors
from director.service.errors import CommandTooLargeError, DirectorError


def as_director_error(error: ConsensusError | CommandTooLargeError) -> DirectorError:
    """Return what an engine's refusal means to a caller."""
    match error:
        case CommandTooLargeError():
            return error
        case NotLeaderError():
            return errors.NoLeaderError("leadership was lost before the change was written")
        case OverloadedError():
            return errors.OverloadedError(str(error))
        case PayloadTooLargeError():
            return errors.CommandTooLargeError(str(error))
        case EngineFailedError():
            return errors.EngineStoppedError(str(error), "")
        case _:
            return errors.OutcomeUnknownError(
                "leadership was lost while waiting; look before you ask again", **error.metadata
            )

"""The fence on disk: the highest token seen and the promises made, per group."""

import json
from pathlib import Path
from typing import Any

from director.routing.table import RegionId, ServiceId
from director.runtime.errors import ReasonedError
from director.runtime.files import FileSystem
from director.runtime.kept_file import KeptFile
from regions.core.effects import KeptGroup, KeptTokens
from regions.core.ids import FencingToken, GroupId

_VERSION = 1


class ForeignDirectoryError(ReasonedError):
    """The data directory belongs to another region or agent."""

    reason = "FOREIGN_DIRECTORY"


class TokenFile:
    """Keeps the tokens of one agent."""

    def __init__(
        self, path: Path, *, region_id: str, agent_id: str, files: FileSystem | None = None
    ) -> None:
        self._kept = KeptFile(path, files=files)
        self._owner = {"region": region_id, "agent": agent_id}

    def read(self) -> KeptTokens:
        """Return what was kept; nothing on the very first start.

        Raises:
            CorruptFileError: It is damaged. A promise may be lost with it, so the agent does not
                start; see the message.
            ForeignDirectoryError: Another agent wrote it.
        """
        payload = self._kept.read()
        if payload is None:
            return KeptTokens()
        content = json.loads(payload)
        owner = content["owner"]
        if content["version"] != _VERSION or owner != self._owner:
            raise ForeignDirectoryError(
                f"{self._kept.path} was written by agent {owner.get('agent')!r} of region "
                f"{owner.get('region')!r} (format {content['version']}), not by "
                f"{self._owner['agent']!r} of {self._owner['region']!r}; give this agent a data "
                f"directory of its own",
                path=str(self._kept.path),
            )
        return KeptTokens(tuple(_group(each) for each in content["groups"]))

    def write(self, tokens: KeptTokens) -> None:
        """Keep ``tokens``; durable on return.

        Raises:
            OSError: It could not be written; it may be tried again.
        """
        content = {
            "version": _VERSION,
            "owner": self._owner,
            "groups": [_encoded(each) for each in tokens.groups],
        }
        self._kept.write(json.dumps(content, sort_keys=True).encode())


def _encoded(group: KeptGroup) -> dict[str, object]:
    promised = group.demoted_through
    return {
        "group": group.group_id,
        "service": group.service_id,
        "token": [group.token.generation, group.token.epoch],
        "home": group.home,
        "demoted_through": None if promised is None else [promised.generation, promised.epoch],
    }


def _group(content: dict[str, Any]) -> KeptGroup:
    promised = content["demoted_through"]
    return KeptGroup(
        GroupId(content["group"]),
        ServiceId(content["service"]),
        FencingToken(*content["token"]),
        None if content["home"] is None else RegionId(content["home"]),
        None if promised is None else FencingToken(*promised),
    )

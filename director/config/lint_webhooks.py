"""What a schema cannot say of webhooks: names, and actions that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from director.config.faults import suggestion
from director.core.audit_content import action_name
from director.core.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from director.config.declared import Declared
    from director.config.faults import Fault
    from director.config.model import Fleet

_ACTIONS = tuple(action_name(each) for each in get_args(Command))


def lint_webhooks(here: Declared, fleet: Fleet) -> Iterator[Fault]:
    """Yield what is wrong with the webhooks of ``fleet``."""
    seen: set[str] = set()
    for at, webhook in enumerate(fleet.spec.webhooks):
        if webhook.name in seen:
            message = f"webhook {webhook.name!r} is listed twice"
            path = ("spec", "webhooks", at, "name")
            yield here.fault(path, message, "D105", "rename one")
        seen.add(webhook.name)
        for number, prefix in enumerate(webhook.events):
            if not any(action.startswith(prefix) for action in _ACTIONS):
                message = f"no action begins with {prefix!r}, so nothing would be sent for it"
                hint = suggestion(prefix, _ACTIONS)
                yield here.fault(("spec", "webhooks", at, "events", number), message, "D127", hint)

"""What ends by itself, and is cleared by the leader when it has: overrides whose term is over."""

from collections.abc import Container
from dataclasses import replace

from director.core.commands import SetOverride, Stamp
from director.core.safety import override_refusal
from director.core.state import State


def lapsed(state: State, stamp: Stamp, busy: Container[str]) -> list[tuple[str, SetOverride]]:
    """Return the commands that clear overrides whose term is over, each with its key.

    One that is all that keeps a service served is left until a region is healthy again (R2):
    whoever wanted it to end wanted that less.
    """
    found = []
    for pair, term in sorted(state.override_terms.items()):
        key = f"override {pair[0]} {pair[1]}"
        if stamp.at_ms < term.expires_at_ms or key in busy:
            continue
        if state.topology.service(pair[0]) is None or override_refusal(state, *pair, None):
            continue
        reason = f"the override by {term.actor} ({term.reason}) was to end now"
        ended = SetOverride(
            replace(stamp, reason=reason), *pair, None, lapsed_at_ms=term.expires_at_ms
        )
        found.append((key, ended))
    return found

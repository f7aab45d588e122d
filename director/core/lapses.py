"""What ends by itself, and is cleared by the leader when it has: overrides whose term is over."""

from collections.abc import Container
from dataclasses import replace

from director.core.commands import SetOverride, Stamp
from director.core.safety import lapse_refusal
from director.core.state import State


def lapsed(state: State, stamp: Stamp, busy: Container[str]) -> list[tuple[str, SetOverride]]:
    """Return the commands that clear overrides whose term is over, each with its key.

    One that is all that keeps a service served is left until a region is healthy again (R2):
    whoever wanted it to end wanted that less. And of several that take regions out each waits for
    its turn (R3).
    """
    found = []
    at_now = replace(state, now_ms=max(state.now_ms, stamp.at_ms))
    for pair, term in sorted(state.override_terms.items()):
        key = f"override {pair[0]} {pair[1]}"
        if stamp.at_ms < term.expires_at_ms or key in busy:
            continue
        if state.topology.service(pair[0]) is None or lapse_refusal(at_now, *pair):
            continue
        reason = f"the override by {term.actor} ({term.reason}) was to end now"
        ended = SetOverride(
            replace(stamp, reason=reason), *pair, None, lapsed_at_ms=term.expires_at_ms
        )
        found.append((key, ended))
    return found

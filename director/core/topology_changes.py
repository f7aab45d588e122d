"""What differs between two topologies, by name: for the history, and to bound the work of a plan.

Only what routing and failover depend on is in a topology. Labels of a document, for instance, are
not, so documents may differ where their topologies are equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from director.core.revisions import SUMMARY_CHARS_MAX
from director.core.topology import LinkSpec, Topology

# Longer lists are counted: a history has one line each.
_NAMED_MAX = 3
_NOUN_BY_FIELD = {
    "regions": "region",
    "links": "link",
    "services": "service",
    "policies": "policy",
    "drill_schedules": "drill schedule",
    "webhooks": "webhook",
}


class How(StrEnum):
    """What became of one thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class TopologyChange:
    """One thing that is not as it was.

    Attributes:
        noun: Such as "service".
        name: Its own; of a link, both regions.
        fields: What changed in it, when it was there before and still is.
    """

    noun: str
    name: str
    how: How
    fields: tuple[str, ...] = ()


def topology_changes(before: Topology, after: Topology) -> tuple[TopologyChange, ...]:
    """Return every difference, in the order of the topology's fields and then by name."""
    found: list[TopologyChange] = []
    for field in fields(Topology):
        was, now = getattr(before, field.name), getattr(after, field.name)
        if was == now:
            continue
        noun = _NOUN_BY_FIELD.get(field.name, _word(field.name))
        if isinstance(was, tuple) and isinstance(now, tuple):
            found.extend(_among(noun, _named(was), _named(now)))
        else:
            found.append(TopologyChange(noun, str(now), How.CHANGED))
    return tuple(found)


def _named(items: tuple[Any, ...]) -> Mapping[str, Any]:
    return {_name(item): item for item in items}


def _name(item: Any) -> str:  # noqa: ANN401 - any record of a topology
    if isinstance(item, LinkSpec):
        return f"{item.region_a}-{item.region_b}"
    # The first field of every record is its name.
    return str(getattr(item, fields(item)[0].name))


def _among(noun: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> list[TopologyChange]:
    found = []
    for name in sorted(was.keys() | now.keys()):
        if name not in was:
            found.append(TopologyChange(noun, name, How.ADDED))
        elif name not in now:
            found.append(TopologyChange(noun, name, How.REMOVED))
        elif was[name] != now[name]:
            changed = tuple(
                _word(field.name)
                for field in fields(now[name])
                if getattr(was[name], field.name) != getattr(now[name], field.name)
            )
            found.append(TopologyChange(noun, name, How.CHANGED, changed))
    return found


def _word(field: str) -> str:
    """Return a field's name as people know it from the documents, as far as that goes."""
    if field == "sites":
        return "regions"
    return field.removesuffix("_ms").removesuffix("_id").replace("_", " ")


def summary(before: Topology, after: Topology) -> str:
    """Say in at most ``SUMMARY_CHARS_MAX`` characters what differs; never empty."""
    found = topology_changes(before, after)
    if not found:
        return "nothing that routing or failover depends on"
    parts = []
    for how in How:
        of_kind = [each for each in found if each.how is how]
        if of_kind:
            parts.append(f"{how} {_listed(of_kind)}")
    text = "; ".join(parts)
    return text if len(text) <= SUMMARY_CHARS_MAX else f"{text[: SUMMARY_CHARS_MAX - 3]}..."


def _listed(found: list[TopologyChange]) -> str:
    shown = [
        f"{each.noun} {each.name}" + (f" ({', '.join(each.fields)})" if each.fields else "")
        for each in found[:_NAMED_MAX]
    ]
    more = len(found) - _NAMED_MAX
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")

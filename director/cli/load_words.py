"""How full regions are, and whether the rest could carry the worst loss, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from director.core.capacity import HEADROOM_PER_MILLE, percent_words

if TYPE_CHECKING:
    from trafficdirector.admin.v1 import admin_pb2 as admin


def load_remark(site: admin.SiteStatus) -> str:
    """Return what a region takes, of what it can take, and what it sends on; "" if not known."""
    if not site.HasField("load_rps"):
        return ""
    said = f"load {site.load_rps} rps"
    if site.capacity_rps:
        said = f"{said} of {site.capacity_rps} ({100 * site.load_rps // site.capacity_rps} %)"
    if site.spill_per_mille:
        said = f"{said}, sends {site.spill_per_mille} per mille of its clients on"
    return said


def headroom_title(service: admin.ServiceStatus) -> str:
    """Return the room that the worst loss leaves; "" where nothing can be said."""
    if not service.HasField("headroom_per_mille"):
        return ""
    return (
        f"headroom {percent_words(service.headroom_per_mille)} without {service.headroom_region_id}"
    )


def headroom_remark(service: admin.ServiceStatus) -> str:
    """Return a warning if the rest could not carry the worst loss; "" otherwise."""
    if not service.HasField("headroom_per_mille"):
        return ""
    if service.headroom_per_mille >= HEADROOM_PER_MILLE:
        return ""
    return (
        f"{service.service_id}: the rest could not carry the load of {service.headroom_region_id} "
        f"(headroom {percent_words(service.headroom_per_mille)})"
    )

"""Bugs of routing: empty answers, dead ends, and the wrong nearest region (R1, R4, R5)."""

from director.routing import eligibility, plan, preference
from tests.sim.bugs.bug import Bug, Edit
from tests.sim.bugs.route_worlds import resolved

_RESOLVED = resolved()

BUGS = (
    Bug("a region without an endpoint is an answer", "R1", _RESOLVED, (
        Edit(eligibility, "_standing", "if not site.endpoints:", "if False:"),
        Edit(plan, "_prepared",
             'assert site.endpoints, "an answer has at least one endpoint (R1)"', "pass"),
    )),
    Bug("an empty healthy set is answered with nothing", "R1", _RESOLVED, (
        Edit(plan, "_prepared", "site.endpoints,\n        fail",
             "() if reason is AnswerReason.PANIC else site.endpoints,\n        fail"),
    )),
    Bug("an empty healthy set is refused, although the service fails open", "R4", _RESOLVED, (
        Edit(eligibility, "pool",
             "return _healthy_pool(healthy) if healthy else unhealthy_refusal(service, judged)",
             "pass"),
        Edit(eligibility, "pool", "if not healthy or ",
             "if not healthy:\n        return unhealthy_refusal(service, judged)\n    if "),
    )),
    Bug("a service that fails closed is sent to a region that is DOWN", "R1", _RESOLVED, (
        Edit(eligibility, "pool", "service.all_unhealthy is AllUnhealthy.FAIL_CLOSED", "False"),
    )),
    Bug("writes go to another region while the owner is DOWN", "R4", _RESOLVED, (
        Edit(plan, "_owner_resolution", "if each.site.region_id == service.owner), None)",
             "if each.standing is Standing.USABLE), None)"),
    )),
    Bug("a region that is forced down is answered with in a panic", "R4", _RESOLVED, (
        Edit(eligibility, "pool", "if each.standing not in BARRED]",
             "if each.standing not in BARRED - {Standing.OVERRIDE_DOWN}]"),
    )),
    Bug("residency is forgotten when health leaves too little", "R1", _RESOLVED, (
        Edit(eligibility, "pool", "if each.standing not in BARRED]",
             "if each.standing not in BARRED - {Standing.RESIDENCY}]"),
    )),
    Bug("an answer that ignores health does not say so", "R6", _RESOLVED, (
        Edit(plan, "_prepared",
             "fail_open=reason in _OVERRIDING or reason is AnswerReason.OWNER_DOWN",
             "fail_open=False"),
    )),
    Bug("the nearest region is found on a flat map", "R5", _RESOLVED, (
        Edit(preference, "Geography.by_distance",
             "number for _, number in sorted(self.haversines(client))",
             "sorted(range(len(self.locations)), key=lambda n:"
             " (self.locations[n].lat - client.lat) ** 2"
             " + (self.locations[n].lon - client.lon) ** 2)"),
    )),
)  # fmt: skip

"""A fault of each kind in a document gives its code, its line and what would be right.

The table has at least one document for every code that the source can emit; a new code without one
fails here. The line at fault is marked in the text by the comment ``# here``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from director.config.faults import Severity
from director.config.load import load_topology
from director.config.yaml_text import TEXT_BYTES_MAX
from tests.config.sample import CHAT, DRILL, EMBED, FLEET, POLICY, SESSIONS

ROOT = Path(__file__).resolve().parents[2]
WHOLE = "---\n".join((FLEET, CHAT, EMBED, POLICY, DRILL))
FILE = "prod.yaml"
WEBHOOK = """\
  webhooks:
    - name: ops
      url: https://ops.example/hook
      secretEnv: OPS_SECRET
      events: [start_run]
"""
WITH_WEBHOOK = WHOLE.replace("  links:\n", f"{WEBHOOK}  links:\n", 1)
ERROR, WARNING = Severity.ERROR, Severity.WARNING


@dataclass(frozen=True)
class Bad:
    """One way to get a document wrong.

    Attributes:
        old: What is replaced in ``text``; "" uses ``text`` as it is.
        new: What replaces it, with the marker on the line at fault.
        path: Where the fault says it is.
        hint: Part of what it says would be right.
        text: The documents; the sound ones of the sample unless given.
    """

    code: str
    old: str
    new: str
    path: str
    hint: str
    severity: Severity = ERROR
    text: str = WHOLE

    @property
    def whole(self) -> str:
        """The documents with the mistake in them."""
        assert not self.old or self.text.count(self.old) >= 1, self.old
        return self.text.replace(self.old, self.new, 1) if self.old else self.text

    @property
    def line(self) -> int:
        """The line marked; 0 when the fault is about no line."""
        marked = [at for at, line in enumerate(self.whole.splitlines(), 1) if "# here" in line]
        assert len(marked) <= 1, marked
        return marked[0] if marked else 0


TTL = "    ttl: 15s\n"
SITE = "    - name: us-east1\n"
SERVICE = "services[1]"

TABLE = [
    # the text
    Bad("D001", TTL, "\tttl: 15s # here\n", "", "indent with spaces, not tabs"),
    Bad("D002", "", "", "", "apiVersion, kind, metadata and spec", text="- a # here\n"),
    Bad("D002", TTL, "    {a: 1}: 2 # here\n", "spec.routing", ""),
    Bad("D003", "kind: FailoverPolicy", "kind: FailoverPolice # here", "kind", "'FailoverPolicy'"),
    Bad(
        "D003",
        "apiVersion: trafficdirector/v1\nkind: FailoverPolicy",
        "apiVersion: v2 # here\nkind: FailoverPolicy",
        "apiVersion",
        "trafficdirector/v1",
    ),
    Bad("D004", TTL, "    tll: 15s # here\n", "spec.routing.tll", "did you mean 'ttl'?"),
    Bad(
        "D005",
        "  objectives: {rto: 40s}",
        "  objectives: {rpo: 40s} # here",
        "spec.objectives.rto",
        "add rto",
    ),
    Bad("D006", TTL, "    ttl: 15 # here\n", "spec.routing.ttl", "such as 1500ms, 30s or 15m"),
    Bad("D007", TTL, "    ttl: 15s\n    ttl: 20s # here\n", "spec.routing.ttl", "keep one"),
    Bad("D008", "", "", "", "several files", text="#" * (TEXT_BYTES_MAX + 1)),
    Bad("D009", TTL, "    ttl: !!str 15s # here\n", "", "remove it"),
    Bad("D010", "", "", "", "", text="# nothing but a comment\n"),
    # names and what they refer to
    Bad("D101", SITE, "    - name: us-esat1 # here\n", "spec.regions[1].name", "'us-east1'"),
    Bad(
        "D101",
        "between: [us-east1, eu-west1]",
        "between: [us-east1, eu-wset1]",
        "spec.links[0].between[1]",
        "'eu-west1'",
        text=WHOLE.replace("rtt: 88.5ms}", "rtt: 88.5ms} # here"),
    ),
    Bad(
        "D102",
        "allow: {jurisdiction: [EU]}, otherwise: Refuse}",
        "allow: {jurisdiction: [SG]}, otherwise: Refuse} # here",
        "spec.residency[0].allow",
        "add a region in SG, or allow another jurisdiction",
    ),
    Bad(
        "D103",
        'objectives: {rto: 60s, rpo: 5s, availability: "99.95%"}',
        "objectives: {rto: 3s, rpo: 5s} # here",
        "spec.objectives.rto",
        "at least 5s, or a shorter hold",
    ),
    Bad(
        "D103",
        'objectives: {rto: 60s, rpo: 5s, availability: "99.95%"}',
        "objectives: {rto: 15s, rpo: 5s} # here",
        "spec.objectives.rto",
        "shorten routing.ttl, or let clients watch",
        WARNING,
    ),
    Bad(
        "D104",
        "    budget: 4900ms\n",
        "    budget: 4900ms # here\n",
        "spec.sessions.budget",
        "a smaller budget",
        WARNING,
        text="---\n".join(
            (
                FLEET.replace(
                    "[us-east1, eu-west1], rtt: 88.5ms", "[eu-north1, eu-west1], rtt: 1s"
                ),
                CHAT + SESSIONS,
                POLICY,
            )
        ),
    ),
    Bad(
        "D105",
        "metadata: {name: embed}",
        "metadata: {name: chat} # here",
        "metadata.name",
        "rename or remove one",
    ),
    Bad("D105", SITE, "    - name: eu-west1 # here\n", "spec.regions[1].name", "into one entry"),
    Bad(
        "D105",
        "      events: [start_run]\n",
        "      events: [start_run]\n"
        "    - {name: ops, url: 'https://x.example', secretEnv: A} # here\n",
        "spec.webhooks[1].name",
        "rename one",
        text=WITH_WEBHOOK,
    ),
    Bad(
        "D106",
        "      priority: 1\n",
        "      priority: 0 # here\n",
        "spec.regions[1].priority",
        "its own priority above 0",
    ),
    Bad(
        "D107",
        '      endpoints: [{address: "10.0.0.1:443"}]',
        "      endpoints: [] # here",
        "spec.regions[0].endpoints",
        'endpoints: [{address: "host:port"}]',
    ),
    Bad(
        "D108",
        '      endpoints: [{address: "10.0.0.1:443"}]',
        '      endpoints: [{address: "10.0.0.1"}] # here',
        "spec.regions[0].endpoints[0].address",
        "host:port, such as chat.internal:443",
    ),
    Bad(
        "D109",
        "  policyRef: tier0",
        "  policyRef: teir0 # here",
        "spec.policyRef",
        "did you mean 'tier0'?",
    ),
    Bad(
        "D110",
        'endpoints: [{address: "[fd00::1]:443", weight: 2}]',
        'endpoints: [{address: "[fd00::1]:443", weight: 0}] # here',
        "spec.regions[1].endpoints",
        "give one a weight above 0",
    ),
    Bad(
        "D111",
        "  regions:\n",
        "  regions: # here\n",
        "spec.regions",
        "director replicas in three failure domains",
        WARNING,
        text=WHOLE.replace("failureDomain: us-a", "failureDomain: eu-a"),
    ),
    Bad(
        "D112",
        "  objectives: {rto: 40s}",
        "  objectives: {rto: 40s, rpo: 1s} # here",
        "spec.objectives.rpo",
        "ask the agent's gate before each write",
        WARNING,
    ),
    Bad(
        "D113",
        "metadata: {name: embed}",
        "metadata: {name: Embed_1} # here",
        "metadata.name",
        "lower-case letters, digits and inner hyphens",
    ),
    Bad(
        "D114",
        '      endpoints: [{address: "10.0.0.1:443"}]',
        "      endpoints: ["
        + ", ".join(f'{{address: "10.0.0.{at}:1"}}' for at in range(65))
        + "] # here",
        "spec.regions[0].endpoints",
        "put them behind a load balancer",
    ),
    Bad(
        "D115",
        "    - {name: us-east1, location: {lat: 33.2, lon: -80.01}, jurisdiction: US, "
        "failureDomain: us-a}",
        "    - {name: us-east1, location: {lat: 93.2, lon: -80.01}, jurisdiction: US, "
        "failureDomain: us-a} # here",
        "spec.regions[2].location.lat",
        "a number from -90 to 90",
    ),
    Bad("D116", "", "", "", "the file that declares the regions too", text=EMBED),
    Bad(
        "D117",
        "    probe: {type: Http, path: /ready, port: 8080}",
        "    probe: {type: Http, path: ready, port: 8080} # here",
        "spec.health.probe.path",
        "/ready",
    ),
    Bad(
        "D117",
        "    probe: {type: Http, path: /ready, port: 8080}",
        "    probe: {type: Tcp, path: /ready} # here",
        "spec.health.probe.path",
        "type: Http",
    ),
    Bad(
        "D118",
        "allow: {jurisdiction: [EU]}, otherwise: Refuse}",
        "allow: {jurisdiction: [NO]}, otherwise: Refuse} # here",
        "spec.residency[0].allow",
        "allowed: eu-north1",
        WARNING,
        text=WHOLE.replace(
            "jurisdiction: EU, failureDomain: eu-b", "jurisdiction: NO, failureDomain: eu-b"
        ),
    ),
    Bad(
        "D119",
        "  regions:\n    - name: eu-west1\n      weight: 100\n",
        "  regions: # here\n    - name: eu-west1\n      weight: 100\n",
        "spec.regions",
        "add a region",
        WARNING,
        text="---\n".join((FLEET, EMBED[: EMBED.index(SITE)])),
    ),
    Bad(
        "D120",
        "  sessions:\n",
        "  sessions: # here\n",
        "spec.sessions",
        "",
        WARNING,
        text="---\n".join((FLEET, CHAT + SESSIONS, POLICY)),
    ),
    Bad("D121", "  service: chat\n", "  service: chatt # here\n", "spec.service", "'chat'"),
    Bad(
        "D122",
        'objectives: {rto: 60s, rpo: 5s, availability: "99.95%"}',
        "objectives: {rto: 60s, rpo: 3s} # here",
        "spec.objectives.rpo",
        "declare 10s or more",
        WARNING,
    ),
    Bad(
        "D123",
        '  cron: "30 3 * * 2"',
        '  cron: "99 3 * * 2" # here',
        "spec.cron",
        "minute, hour, day, month and weekday",
    ),
    Bad(
        "D123",
        '  cron: "30 3 * * 2"',
        '  cron: "30 3 31 2 *" # here',
        "spec.cron",
        "minute, hour, day, month and weekday",
    ),
    Bad(
        "D124",
        '  cron: "30 3 * * 2"',
        '  cron: "30 12 * * 2" # here',
        "spec.cron",
        "move cron or widen allowedWindows",
        WARNING,
    ),
    Bad(
        "D124",
        '  cron: "30 3 * * 2"',
        '  cron: "* 0-1,5-23 * * *" # here',
        "spec.cron",
        "move cron or widen allowedWindows",
        WARNING,
    ),
    Bad(
        "D126",
        "      url: https://ops.example/hook\n",
        "      url: http://ops.example/hook # here\n",
        "spec.webhooks[0].url",
        "https://host/path, or http on loopback",
        text=WITH_WEBHOOK,
    ),
    Bad(
        "D127",
        "      events: [start_run]\n",
        "      events: [strat_run] # here\n",
        "spec.webhooks[0].events[0]",
        "did you mean 'start_run'?",
        text=WITH_WEBHOOK,
    ),
    Bad(
        "D128",
        TTL,
        '    ttl: 15s\n    spillAt: "85%" # here\n',
        "spec.routing.spillAt",
        "leave it out",
        WARNING,
    ),
    Bad(
        "D131",
        "    minInterval: 15m\n",
        "    minInterval: 15m\n    flapDamping: {suppress: 500} # here\n",
        "spec.guards.flapDamping.reuse",
        "the defaults are 750 and 2000",
    ),
    Bad(
        "D132",
        "  failback: {mode: Manual, soakFor: 30m}",
        "  failback: {mode: Automatic, soakFor: 10s} # here",
        "spec.failback.soakFor",
        "30m",
        WARNING,
    ),
]


def emitted() -> set[str]:
    """Return every code that the source can emit."""
    files = [*(ROOT / "director/config").glob("*.py"), ROOT / "director/cli/document_files.py"]
    literal = re.compile(r'"(D[0-9]{3})"')
    return {code for path in files for code in literal.findall(path.read_text(encoding="utf-8"))}


def test_every_code_has_a_bad_document_in_the_table_and_a_line_in_the_documentation() -> None:
    codes = emitted()
    documented = (ROOT / "docs/documents.md").read_text(encoding="utf-8")

    assert len(codes) > 30
    assert sorted(codes - {each.code for each in TABLE}) == []
    assert sorted({each.code for each in TABLE} - codes) == []
    assert sorted(code for code in codes if f"| {code} |" not in documented) == []


@pytest.mark.parametrize("bad", TABLE, ids=lambda each: f"{each.code}-{each.path or 'text'}")
def test_a_fault_of_each_kind_gives_its_code_its_line_and_what_would_be_right(bad: Bad) -> None:
    loaded = load_topology([(FILE, bad.whole)])

    found = [each for each in loaded.faults if (each.code, each.path) == (bad.code, bad.path)]
    assert found, loaded.faults
    [fault] = found
    assert (fault.file, fault.line) == (FILE, bad.line)
    assert fault.severity is bad.severity
    assert bad.hint in fault.hint
    assert bool(bad.hint) == bool(fault.hint)
    where = f"{FILE}:{bad.line}:" if bad.line else f"{FILE}:"
    assert str(fault).startswith(where)
    assert f"[{bad.code}]" in str(fault)
    assert (loaded.topology is None) == any(each.severity is ERROR for each in loaded.faults)


@pytest.mark.parametrize("cron", ["* * * * *", "0 2 * * 2", "59 4 * * 4", "30 3 29 2 *"])
def test_a_drill_that_ever_comes_within_its_windows_is_no_fault(cron: str) -> None:
    # The last one comes every four years, and not always on an allowed weekday.
    text = WHOLE.replace('cron: "30 3 * * 2"', f'cron: "{cron}"')

    assert load_topology([(FILE, text)]).errors == ()
    assert "D124" not in {each.code for each in load_topology([(FILE, text)]).faults}


def test_the_sound_documents_have_no_fault_but_what_is_not_used_yet() -> None:
    for text in (WHOLE, WITH_WEBHOOK):
        assert {each.code for each in load_topology([(FILE, text)]).faults} <= {"D120"}


def test_all_faults_of_a_text_are_told_at_once_in_the_order_of_its_lines() -> None:
    text = WHOLE
    wanted = []
    for bad in TABLE:
        is_apart = bad.code in {"D004", "D105", "D108", "D109", "D117", "D121"}
        if is_apart and bad.text is WHOLE and text.count(bad.old) == 1:
            text = text.replace(bad.old, bad.new.replace(" # here", ""), 1)
            wanted.append(bad.code)

    found = load_topology([(FILE, text)]).errors

    assert len(wanted) >= 5
    # A service that its schema refuses is not linted any further, but its references are.
    assert {"D004", "D108", "D109", "D121"} <= {each.code for each in found}
    assert [each.line for each in found] == sorted(each.line for each in found)

"""The documents of the sample fleet.

Locations are those of the cloud regions of the same names; the round trips are rounded medians
between the AWS regions nearest to them (CloudPing.co, MIT, snapshot of 2025-10).
"""

from director.dev.plan import FleetPlan
from director.runtime.tls import TlsPaths

_FLEET = """\
apiVersion: trafficdirector/v1
kind: Fleet
metadata: {name: dev}
spec:
  regions:
    - {name: eu-west1,  location: {lat: 50.45, lon: 3.82},   jurisdiction: EU, failureDomain: eu-a}
    - {name: eu-north1, location: {lat: 60.57, lon: 27.19},  jurisdiction: EU, failureDomain: eu-b}
    - {name: us-east1,  location: {lat: 33.20, lon: -80.01}, jurisdiction: US, failureDomain: us-a}
    - {name: ap-south1, location: {lat: 1.35,  lon: 103.82}, jurisdiction: SG, failureDomain: ap-a}
  links:
    - {between: [eu-west1, eu-north1],  rtt: 34ms}
    - {between: [eu-west1, us-east1],   rtt: 90ms}
    - {between: [eu-west1, ap-south1],  rtt: 163ms}
    - {between: [eu-north1, us-east1],  rtt: 116ms}
    - {between: [eu-north1, ap-south1], rtt: 184ms}
    - {between: [us-east1, ap-south1],  rtt: 221ms}
---
apiVersion: trafficdirector/v1
kind: FailoverPolicy
metadata: {name: tier0}
spec:
  automation: Automatic
  hold: 0s
  guards:
    minInterval: 5s        # short, so that you can try again at once; production wants 15m
    flapDamping: {halfLife: 0s}   # none, for the same reason; production wants 15m
    maxConcurrent: 1
    minServingRegions: 1
    requireLagWithinRPO: true
  failback: {mode: Manual, soakFor: 30m}
"""

_CHAT = """\
---
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: chat, labels: {tier: "0"}}
spec:
  mode: ActivePassive
  policyRef: tier0
  # Copies are asynchronous here, so the RPO must cover what the owner may still accept while it
  # is out of sight: the lease (4 s), and an election before it if the leader is lost as well.
  objectives: {rto: 60s, rpo: 10s}
  regions:
"""

_CHAT_TAIL = """\
  routing: {strategy: Nearest, ttl: 15s, panicBelow: "40%", allUnhealthy: FailOpen}
  residency:
    - {when: {subjectJurisdiction: EU}, allow: {jurisdiction: [EU]}, otherwise: Refuse}
  health:
    every: 500ms
    rise: 3
    fall: 3
    probe: {type: Http, path: /healthz}
    observers: {agree: 2}
"""

_EMBED = """\
---
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: embed}
spec:
  mode: ActiveActive
  policyRef: tier0
  objectives: {rto: 20s}
  regions:
"""

_EMBED_TAIL = """\
  routing: {strategy: Nearest, ttl: 5s, spillAt: "85%", panicBelow: "30%", allUnhealthy: FailOpen}
  health:
    every: 500ms
    rise: 3
    fall: 3
    probe: {type: Grpc}
    observers: {agree: 2}
"""

_DRILLS = """\
---
apiVersion: trafficdirector/v1
kind: DrillSchedule
metadata: {name: chat-weekly}
spec:
  service: chat
  cron: "30 3 * * 2"
  timezone: Europe/Brussels
  scenario: {lose: {region: eu-west1, how: Blackhole}, for: 15s}   # production wants 10m
  expect: {rto: 45s, rpo: 10s}
  abortWhen: [{regionState: {eu-north1: Down}}]
  skipWhen: [{failoverInProgress: true}]
"""

# ap-south1 has no chat, so that `explain` has something to explain.
_CHAT_PRIORITIES = {"eu-west1": 0, "eu-north1": 1, "us-east1": 2}
# Far above what the sample traffic makes, so that every drain and move finds room.
_CAPACITY_RPS = 10_000


def sample_documents(plan: FleetPlan) -> str:
    """Return the YAML that `director dev` applies: a fleet, a policy, chat, embed and a drill."""
    chat = "".join(
        f"    - {{name: {each.region_id}, priority: {_CHAT_PRIORITIES[each.region_id]}, "
        f"capacity: {{rps: {_CAPACITY_RPS}}}, "
        f'endpoints: [{{address: "{each.chat}"}}]}}\n'
        for each in plan.regions
        if each.region_id in _CHAT_PRIORITIES
    )
    embed = "".join(
        f"    - {{name: {each.region_id}, capacity: {{rps: {_CAPACITY_RPS}}}, "
        f'endpoints: [{{address: "{each.embed}"}}]}}\n'
        for each in plan.regions
        if each.embed
    )
    return _FLEET + _CHAT + chat + _CHAT_TAIL + _EMBED + embed + _EMBED_TAIL + _DRILLS


def agent_config(
    plan: FleetPlan, region_id: str, data_dir: str, tls: TlsPaths | None = None
) -> str:
    """Return the configuration of one region's agent; ``tls``: where its certificate is."""
    region = plan.region(region_id)
    directors = ", ".join(f'"{address}"' for address in plan.api_addresses)
    lines = [
        f"region: {region_id}",
        f"id: {region_id}-agent",
        f"directors: [{directors}]",
        f"data_dir: {data_dir}",
        f'listen: {{grpc: "{region.agent_grpc}", http: "{region.agent_http}"}}',
        "# All regions share one machine here: a measured round trip would say 0 ms for all of",
        "# them and hide the declared links.",
        "measure_round_trips: false",
        *(() if tls is None else _tls_lines(tls)),
        "services:",
    ]
    if region_id in _CHAT_PRIORITIES:
        lines += [
            "  - name: chat",
            f'    probe: {{type: Http, address: "{region.chat}", path: /healthz}}',
            f'    lag: {{type: Http, address: "{region.chat}", path: /lag}}',
            f'    load: {{type: Http, address: "{region.chat}", path: /load}}',
            f"    role_file: {data_dir}/chat.role.json",
        ]
    if region.embed:
        lines += [
            "  - name: embed",
            f'    probe: {{type: Grpc, address: "{region.embed}"}}',
            f"    load: {{type: Exec, command: [cat, {data_dir}/embed.load.json]}}",
        ]
    return "\n".join(lines) + "\n"


def _tls_lines(tls: TlsPaths) -> list[str]:
    return [
        "tls:",
        f"  cert: {tls.cert}",
        f"  key: {tls.key}",
        f"  ca: {tls.ca}",
        f"  trust_domain: {tls.trust_domain}",
    ]

"""A sound set of documents for the tests of this folder; each test spoils one thing in it."""

FLEET = """\
apiVersion: trafficdirector/v1
kind: Fleet
metadata: {name: prod}
spec:
  regions:
    - {name: eu-west1, location: {lat: 50.45, lon: 3.82}, jurisdiction: EU, failureDomain: eu-a}
    - {name: eu-north1, location: {lat: 60.57, lon: 27.19}, jurisdiction: EU, failureDomain: eu-b}
    - {name: us-east1, location: {lat: 33.2, lon: -80.01}, jurisdiction: US, failureDomain: us-a}
  links:
    - {between: [us-east1, eu-west1], rtt: 88.5ms}
"""

CHAT = """\
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: chat, labels: {tier: "0"}}
spec:
  mode: ActivePassive
  policyRef: tier0
  objectives: {rto: 60s, rpo: 5s, availability: "99.95%"}
  regions:
    - name: eu-west1
      priority: 0
      capacity: {rps: 12000}
      endpoints:
        - {address: "chat.eu-west1.internal:443", zone: b, labels: {model: v3}}
    - name: eu-north1
      priority: 1
      warmth: Hot
      endpoints:
        - {address: "chat.eu-north1.internal:443"}
  routing:
    strategy: Nearest
    ttl: 15s
    panicBelow: "40%"
    allUnhealthy: FailOpen
    stickiness: {key: session, hash: Rendezvous}
  residency:
    - {when: {subjectJurisdiction: EU}, allow: {jurisdiction: [EU]}, otherwise: Refuse}
  health:
    every: 500ms
    timeout: 400ms
    rise: 2
    fall: 3
    observers: {agree: 2}
    probe: {type: Http, path: /ready, port: 8080}
"""

EMBED = """\
apiVersion: trafficdirector/v1
kind: Service
metadata: {name: embed}
spec:
  mode: ActiveActive
  objectives: {rto: 40s}
  gate: false
  regions:
    - name: eu-west1
      weight: 100
      endpoints: [{address: "10.0.0.1:443"}]
    - name: us-east1
      weight: 50
      endpoints: [{address: "[fd00::1]:443", weight: 2}]
"""

POLICY = """\
apiVersion: trafficdirector/v1
kind: FailoverPolicy
metadata: {name: tier0}
spec:
  automation: Automatic
  hold: 0s
  guards:
    minInterval: 15m
    maxConcurrent: 1
    minServingRegions: 1
    requireLagWithinRPO: true
  failback: {mode: Manual, soakFor: 30m}
"""

DRILL = """\
apiVersion: trafficdirector/v1
kind: DrillSchedule
metadata: {name: chat-weekly}
spec:
  service: chat
  cron: "30 3 * * 2"
  timezone: Europe/Brussels
  scenario: {lose: {region: eu-west1, how: Blackhole}, for: 10m}
  expect: {rto: 45s, rpo: 5s}
  abortWhen: [{regionState: {eu-north1: Down}}]
  skipWhen: [{failoverInProgress: true}]
  allowedWindows: ["Tue-Thu 02:00-05:00"]
"""

SESSIONS = """\
  sessions:
    contract: Bounded
    budget: 4900ms
    copies: 1
    to: [eu-north1]
    groups: 64
    maxSize: 256KiB
"""

ALL = "---\n".join((FLEET, CHAT, EMBED, POLICY))

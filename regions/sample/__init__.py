"""A small real service to guard, for `director dev`, drills and benchmarks.

It shows how a service uses the gate: hold a permit, write durably, look at the clock again, and
only then acknowledge.
"""

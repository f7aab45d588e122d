"""A whole fleet on loopback, for trying things out, drills and benchmarks.

It starts the same programs that run in production, as processes of their own, and reaches them
only through their public doors: the gRPC API, the sample service's HTTP, and signals.
"""

"""A replica's HTTP port: liveness, readiness, which region is active, metrics. Nothing changes."""

"""Probes: one check of one endpoint, with a deadline, limits and no redirects."""

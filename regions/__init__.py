"""The agent that runs beside a region: probes, reports, the gate, local resolves."""

"""What the agent decides, without clock, socket or file.

:class:`regions.core.agent.Agent` puts it behind one face: inputs and ``now_ms`` in, effects out.
``now_ms`` is boot time of the agent's machine, suspends included (A5).
"""

"""Actuators: what makes the agent's word count beside the service it guards."""

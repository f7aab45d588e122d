"""Routing: which region serves this client, and why not the others.

Order, then filter: :mod:`~director.routing.preference` orders regions for a place and knows
nothing of health; :mod:`~director.routing.eligibility` filters sites and knows nothing of
geography. :class:`~director.routing.compiled.CompiledTable` puts them together, and
:func:`~director.routing.explain.explain` prints the values it used.
"""

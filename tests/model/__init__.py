"""Random transactions through the machine, watched by a naive model of R1, R2 and R3.

It shares no rule with the code that it checks: it reads plain facts out of the state, counts, and
compares. Run it as ``python -m tests.model --transactions 1000000 --workers 2``.
"""

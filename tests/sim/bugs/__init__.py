"""Bugs that are put into the production code, to see that the checkers notice each of them.

The switch is in the tests alone: a bug is a replacement in the source of a function while a world
is played, and nothing of it is ever in the product.

A bug names the invariant it breaks, the world it is played in, and what to replace. ``search``
plays seeds until a checker speaks, and plays the same seed once more without the bug: a world that
fails either way proves nothing.
"""

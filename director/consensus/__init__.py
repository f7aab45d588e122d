"""The replicated log: a port of promises, and the engines that keep them."""

"""Hooks: thin, over the clients in ``include``."""

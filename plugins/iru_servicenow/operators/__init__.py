"""Operators: thin, over ``include.loading``."""

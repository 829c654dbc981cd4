"""Faults on request: what strikes, where, and on which occasions."""

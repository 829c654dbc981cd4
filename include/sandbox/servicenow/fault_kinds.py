"""Faults that only ServiceNow has."""

from include.sandbox.faults.kind import Catalogue, catalogue_of

KINDS: Catalogue = catalogue_of()

"""Faults that only Iru has."""

from include.sandbox.faults.kind import Catalogue, catalogue_of

KINDS: Catalogue = catalogue_of()

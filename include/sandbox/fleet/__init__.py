"""The fleet of Apple devices that the sandbox's Iru tenant manages, generated from a seed."""

from include.sandbox.fleet.generate import generate_fleet
from include.sandbox.fleet.model import (
    App,
    AppTitle,
    Blueprint,
    Device,
    Fleet,
    Hardware,
    OsRelease,
    Tag,
    User,
)
from include.sandbox.fleet.spec import FleetSpec

__all__ = [
    "App",
    "AppTitle",
    "Blueprint",
    "Device",
    "Fleet",
    "FleetSpec",
    "Hardware",
    "OsRelease",
    "Tag",
    "User",
    "generate_fleet",
]

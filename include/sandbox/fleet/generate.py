"""A whole fleet from a seed."""

from include.sandbox.fleet.model import Fleet
from include.sandbox.fleet.people import draw_users
from include.sandbox.fleet.spec import FleetSpec


def generate_fleet(spec: FleetSpec) -> Fleet:
    """Generate users, blueprints, tags, devices and apps; the same spec gives the same fleet."""
    return Fleet(users=draw_users(spec), blueprints=(), tags=(), devices=(), titles=(), apps=())

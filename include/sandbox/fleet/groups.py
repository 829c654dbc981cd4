# ruff: noqa: RUF001 - names as vendors write them
"""Blueprints and tags of a fleet."""

from include.sandbox.fleet.model import Blueprint, Tag
from include.sandbox.fleet.randomness import draw_uuid, stream

_BLUEPRINTS = (
    ("Main hive", "classic"), ("Engineering – Apple silicon", "map"), ("iOS field devices", "classic"),
    ("Conference rooms", "classic"), ("Executives", "map"), ("_testing_ipados", "classic"),
)  # fmt: skip
_TAGS = ("accuhive_01", "accuhive_02", "loaner", "Büro Zürich", "pilot")


def draw_blueprints(seed: int) -> tuple[Blueprint, ...]:
    """Return the blueprints of a tenant."""
    draw = stream(seed, "blueprints")
    return tuple(
        Blueprint(
            id=draw_uuid(draw),
            name=name,
            type=kind,
            description=f"Settings of {name}" if kind == "map" else "",
            color=f"aqua-{draw.choice((500, 800))}",
            enrollment_code=f"{draw.randint(0, 999_999):06d}",
        )
        for name, kind in _BLUEPRINTS
    )


def draw_tags(seed: int) -> tuple[Tag, ...]:
    """Return the tags of a tenant."""
    draw = stream(seed, "tags")
    return tuple(Tag(id=draw_uuid(draw), name=name) for name in _TAGS)

"""One device as it enrolls."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.sandbox.fleet.hardware import MODELS, RELEASES, draw_serial
from include.sandbox.fleet.model import Blueprint, Device, Hardware, Tag, User
from include.sandbox.fleet.randomness import draw_time, draw_uuid
from include.sandbox.fleet.spec import FleetSpec

AGENT_VERSIONS = ("4.5.9 (5160)", "4.6.1 (5212)", "4.7.3 (5290)")
_DEVICE_WORDS = {"Mac": "MacBook", "iPhone": "iPhone", "iPad": "iPad", "AppleTV": "Apple TV"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a new device can belong to."""

    users: tuple[User, ...]
    blueprints: tuple[Blueprint, ...]
    tags: tuple[Tag, ...]


def draw_family(draw: random.Random, spec: FleetSpec) -> str:
    """Return the family of the next device, by the shares of ``spec``."""
    if draw.random() < spec.non_apple_share:
        return draw.choice(("Windows", "Android"))
    rest = max(0.0, 1 - spec.mac_share - spec.iphone_share - spec.ipad_share)
    shares = (spec.mac_share, spec.iphone_share, spec.ipad_share, rest)
    return draw.choices(("Mac", "iPhone", "iPad", "AppleTV"), weights=shares)[0]


def draw_device(draw: random.Random, spec: FleetSpec, around: Surroundings, enrolled_at: datetime) -> Device:
    """Return one device that enrolled for the last time at ``enrolled_at`` and has not checked in since."""
    hardware = draw.choice(MODELS[draw_family(draw, spec)])
    user = _draw_user(draw, spec, around.users)
    is_mac = hardware.family == "Mac"
    return Device(
        id=draw_uuid(draw),
        name=draw_name(draw, hardware, user),
        serial_number=draw_serial(draw),
        hardware=hardware,
        os=draw.choice(RELEASES[hardware.family]),
        blueprint_id=draw.choice(around.blueprints).id,
        user_id=user.id if user else None,
        asset_tag=f"AT-{draw.randint(10_000, 99_999)}" if draw.random() < spec.asset_tag_share else None,
        tags=_draw_tags(draw, spec, around.tags),
        mac_address=":".join(f"{draw.randint(0, 255):02x}" for _ in range(6)),
        udid=f"{draw.getrandbits(32):08x}-{draw.getrandbits(64):016x}",
        agent_version=draw.choice(AGENT_VERSIONS) if is_mac else None,
        filevault_enabled=draw.random() < 0.85 if is_mac else None,
        first_enrollment=draw_time(draw, enrolled_at, within_days=1),
        last_enrollment=enrolled_at,
        updated_at=enrolled_at + timedelta(microseconds=draw.randint(1, 900_000)),
        unassigned_as_empty=draw.random() < 0.5,
    )


def draw_name(draw: random.Random, hardware: Hardware, user: User | None) -> str:
    """Return a name as people and set-up assistants give them."""
    word = _DEVICE_WORDS.get(hardware.family, hardware.name)
    if user and draw.random() < 0.7:
        return f"{user.name.partition(' ')[0]}’s {word}"  # noqa: RUF001 - Apple's own apostrophe
    return f"{word}-{draw.randint(1000, 99_999)}"


def _draw_user(draw: random.Random, spec: FleetSpec, users: tuple[User, ...]) -> User | None:
    assigned = draw.random() >= spec.unassigned_share
    return draw.choice(users) if assigned and users else None


def _draw_tags(draw: random.Random, spec: FleetSpec, tags: tuple[Tag, ...]) -> tuple[str, ...]:
    if not tags or draw.random() >= spec.tagged_share:
        return ()
    return tuple(tag.name for tag in draw.sample(tags, k=min(len(tags), draw.choice((1, 1, 2)))))

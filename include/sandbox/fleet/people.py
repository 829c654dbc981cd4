# ruff: noqa: RUF001 - names of people are spelled as people spell them
"""The user directory: names from many places, some with accents, apostrophes or other scripts."""

import random
from dataclasses import replace
from datetime import timedelta

from include.sandbox.fleet.model import User
from include.sandbox.fleet.randomness import draw_time, draw_uuid, stream
from include.sandbox.fleet.spec import FleetSpec

MAIL_DOMAIN = "accuhive.example"
_FIRST_NUMBER = 29_000
_GIVEN = (
    ("Ada", "ada"), ("Amélie", "amelie"), ("Björn", "bjorn"), ("Carlos", "carlos"), ("Chidi", "chidi"),
    ("Daniela", "daniela"), ("Ewa", "ewa"), ("Fatima", "fatima"), ("George", "george"), ("Hana", "hana"),
    ("Ifeoma", "ifeoma"), ("Jürgen", "juergen"), ("Kateřina", "katerina"), ("Leïla", "leila"),
    ("Liam", "liam"), ("Mateo", "mateo"), ("Mei", "mei"), ("Nadia", "nadia"), ("Noah", "noah"),
    ("Olivia", "olivia"), ("Priya", "priya"), ("Quentin", "quentin"), ("Rosa", "rosa"), ("Søren", "soren"),
    ("Tomás", "tomas"), ("Uma", "uma"), ("Viktor", "viktor"), ("Wren", "wren"), ("Yara", "yara"),
    ("太郎", "taro"),
)  # fmt: skip
_FAMILY = (
    ("Andersson", "andersson"), ("O’Neill", "oneill"), ("García", "garcia"), ("Müller", "mueller"),
    ("Nakamura", "nakamura"), ("Okafor", "okafor"), ("Novák", "novak"), ("Silva", "silva"),
    ("Kowalska", "kowalska"), ("D’Angelo", "dangelo"), ("Singh", "singh"), ("Nguyễn", "nguyen"),
    ("Smith", "smith"), ("Johnson", "johnson"), ("Brown", "brown"), ("Lee", "lee"), ("Martin", "martin"),
    ("Dubois", "dubois"), ("Rossi", "rossi"), ("Ivanova", "ivanova"), ("Yılmaz", "yilmaz"),
    ("Haddad", "haddad"), ("van der Berg", "vanderberg"), ("Sørensen", "sorensen"), ("山田", "yamada"),
)  # fmt: skip
_DEPARTMENTS = ("Engineering", "Sales", "People", "Finance", "Support", "Design", None)
_TITLES = ("Engineer", "Manager", "Analyst", "Designer", "Director", None)


def draw_users(spec: FleetSpec) -> tuple[User, ...]:
    """Return about 0.8 users a device; the stated share of them is unknown to ServiceNow."""
    draw = stream(spec.seed, "users")
    count = max(1, round(spec.devices * 0.8)) if spec.devices else 0
    unknown = _chosen(spec, count, "unknown", spec.unknown_user_share)
    archived = _chosen(spec, count, "archived", spec.archived_user_share)
    users = (_user(draw, spec, number) for number in range(count))
    return tuple(
        replace(user, known_to_servicenow=number not in unknown, archived=number in archived)
        for number, user in enumerate(users)
    )


def _chosen(spec: FleetSpec, count: int, what: str, share: float) -> frozenset[int]:
    wanted = round(count * share)
    if share and count >= 10:
        wanted = max(1, wanted)
    return frozenset(stream(spec.seed, f"{what} users").sample(range(count), wanted))


def _user(draw: random.Random, spec: FleetSpec, number: int) -> User:
    given, given_ascii = draw.choice(_GIVEN)
    family, family_ascii = draw.choice(_FAMILY)
    created_at = draw_time(draw, spec.as_of - timedelta(days=30), within_days=700)
    return User(
        id=draw_uuid(draw),
        number=_FIRST_NUMBER + number,
        name=f"{given} {family}",
        email=f"{given_ascii}.{family_ascii}.{number}@{MAIL_DOMAIN}",
        department=draw.choice(_DEPARTMENTS),
        job_title=draw.choice(_TITLES),
        created_at=created_at,
        updated_at=created_at + timedelta(microseconds=draw.randint(10, 5000)),
    )

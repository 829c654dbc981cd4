"""What clients sign in with: given, from the environment, or made up from the seed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from include.sandbox.fleet.randomness import draw_uuid, stream

ENVIRONMENT_PREFIX = "SANDBOX_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The tenant's API token, and OAuth client and service account of the instance."""

    iru_token: str
    client_id: str
    client_secret: str
    username: str
    password: str

    @classmethod
    def draw(cls, seed: int, given: Mapping[str, str | None] | None = None) -> Self:
        """Return what is ``given``, else what ``SANDBOX_<NAME>`` says, else what the seed gives."""
        chosen = {}
        for name in (field.name for field in fields(cls)):
            from_outside = (given or {}).get(name) or os.environ.get(ENVIRONMENT_PREFIX + name.upper())
            chosen[name] = from_outside or _made_up(seed, name)
        return cls(**chosen)


def _made_up(seed: int, name: str) -> str:
    draw = stream(seed, "credentials", name)
    if name == "username":
        return "svc.iru.import"
    if name == "iru_token":
        return draw_uuid(draw)
    return f"{draw.getrandbits(128):032x}"

"""What a fleet should look like before it is generated."""

from dataclasses import dataclass
from datetime import UTC, datetime

APPLE_FAMILIES = ("Mac", "iPhone", "iPad", "AppleTV")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSpec:
    """Size, shares and oddities of a generated fleet; the same spec always gives the same fleet.

    Shares lie between 0 and 1. ``odd_rows`` counts each kind of oddity at 500 devices and scales
    with the fleet (at least one of each from 100 devices on); 0 gives a fleet without any.
    """

    devices: int = 500
    apps_per_device: int = 40
    seed: int = 7
    unassigned_share: float = 0.12
    unknown_user_share: float = 0.02
    archived_user_share: float = 0.01
    mac_share: float = 0.62
    iphone_share: float = 0.22
    ipad_share: float = 0.12
    never_checked_in_share: float = 0.01
    tagged_share: float = 0.25
    asset_tag_share: float = 0.4
    non_apple_share: float = 0.0
    odd_rows: int = 3
    as_of: datetime = datetime(2025, 10, 15, 12, tzinfo=UTC)

    def __post_init__(self) -> None:
        for name in ("devices", "apps_per_device", "odd_rows"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in self.__slots__:
            if name.endswith("_share") and not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.mac_share + self.iphone_share + self.ipad_share > 1:
            raise ValueError("mac_share, iphone_share and ipad_share must not exceed 1 together")

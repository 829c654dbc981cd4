"""The things a fleet consists of, in the sandbox's own neutral form.

Spelling is left to the servers: ``None`` means absent, times are aware datetimes in UTC.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of the user directory; devices may be assigned to one."""

    id: str
    number: int
    """The deprecated integer id, which Prism still shows."""
    name: str
    email: str
    department: str | None = None
    job_title: str | None = None
    archived: bool = False
    known_to_servicenow: bool = True
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A set of settings that devices belong to."""

    id: str
    name: str
    type: str
    description: str = ""
    color: str = "aqua-500"
    icon: str = "ss-files"
    enrollment_code: str = "000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A label that devices may carry."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One model that Apple (or somebody else) sells, with one capacity in decimal gigabytes."""

    family: str
    name: str
    identifier: str
    capacity_gb: float
    processor: str = ""
    cores: int = 0
    memory: str = ""
    apple_silicon: bool | None = None
    cellular: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OsRelease:
    """One release of an operating system with its build."""

    version: str
    build: str
    name: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One enrolled device; ``serial_number`` may be empty, ``user_id`` is None when unassigned."""

    id: str
    name: str
    serial_number: str
    hardware: Hardware
    os: OsRelease
    blueprint_id: str
    user_id: str | None = None
    asset_tag: str | None = None
    tags: tuple[str, ...] = ()
    mac_address: str = ""
    udid: str = ""
    mdm_enabled: bool = True
    agent_version: str | None = None
    filevault_enabled: bool | None = None
    is_missing: bool = False
    first_enrollment: datetime
    last_enrollment: datetime
    last_check_in: datetime | None = None
    updated_at: datetime
    unassigned_as_empty: bool = False
    """Prism spells a missing user as "" for some devices and as null for others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppTitle:
    """What all installations of one application share."""

    key: int
    name: str
    path: str
    """Where it is installed; "" on iPhone, iPad and Apple TV."""
    bundle_id: str | None
    developer_name: str | None = None
    team_id: str | None = None
    signature: str | None = None
    source: str = ""
    category: str | None = None
    copyright: str | None = None
    executable: str | None = None
    minimum_system_version: str | None = None
    app_store_vendable: bool | None = None
    device_based_vpp: bool | None = None
    bundle_size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One application installed on one device at one path."""

    device_id: str
    title: AppTitle
    version: str
    build: str
    path: str
    created_at: datetime
    updated_at: datetime
    last_opened: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A generated tenant, in the order in which it was enrolled."""

    users: tuple[User, ...]
    blueprints: tuple[Blueprint, ...]
    tags: tuple[Tag, ...]
    devices: tuple[Device, ...]
    titles: tuple[AppTitle, ...]
    apps: tuple[App, ...]
    organization: str = "accuhive"
    integration_id: str = field(default="f7461096-4ef9-43aa-88e9-ca1967ba0b38")

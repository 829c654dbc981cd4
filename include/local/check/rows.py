"""What is compared, in one spelling for both sides."""

from dataclasses import dataclass

OS_OF_PLATFORM = {"Mac": "macOS", "iPhone": "iOS", "iPad": "iPadOS", "AppleTV": "tvOS"}
"""Iru's platform and ServiceNow's ``os``; other platforms are not Apple's and not part of the integration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One Apple device of Iru; absent values are empty strings."""

    id: str
    serial_number: str
    name: str
    os: str
    os_version: str
    model: str
    capacity_gb: str
    user_email: str
    blueprint_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One application row of Prism; ``identity`` is the bundle id, or the name where there is none."""

    device_id: str
    identity: str
    name: str
    version: str
    publisher: str
    path: str
    last_opened: str
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedApp:
    """An application that is known to have left a device."""

    device_id: str
    name: str
    path: str


Row = dict[str, str]
"""One row of a ServiceNow table: values as text, references as sys_id."""

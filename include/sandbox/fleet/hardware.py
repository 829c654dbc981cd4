"""Apple models with their identifiers, and releases of their operating systems with builds."""

import random

from include.sandbox.fleet.model import Hardware, OsRelease


def _mac(name: str, identifier: str, processor: str, memory: str, capacity_gb: float) -> Hardware:
    cores, silicon = _CORES[processor], processor.startswith("Apple")
    return Hardware(
        family="Mac", name=name, identifier=identifier, processor=processor, cores=cores,
        memory=memory, apple_silicon=silicon, capacity_gb=capacity_gb,
    )  # fmt: skip


def _mobile(family: str, name: str, identifier: str, capacity_gb: float) -> Hardware:
    cellular = family == "iPhone" or "Cellular" in name
    return Hardware(family=family, name=name, identifier=identifier, capacity_gb=capacity_gb, cellular=cellular)


_CORES = {
    "Apple M1": 8, "Apple M2": 8, "Apple M3": 8, "Apple M4": 10, "Apple M3 Pro": 12,
    "6-Core Intel Core i7": 6, "Apple processor (Virtual)": 4,
}  # fmt: skip

MODELS: dict[str, tuple[Hardware, ...]] = {
    "Mac": (
        _mac("MacBook Air (M1, 2020)", "MacBookAir10,1", "Apple M1", "8 GB LPDDR4", 245.0),
        _mac("MacBook Air (M2, 2022)", "Mac14,2", "Apple M2", "16 GB LPDDR5", 494.0),
        _mac("MacBook Air (15-inch, M3, 2024)", "Mac15,13", "Apple M3", "16 GB LPDDR5", 494.0),
        _mac("MacBook Air (13-inch, M4, 2025)", "Mac16,12", "Apple M4", "16 GB LPDDR5", 494.0),
        _mac("MacBook Pro (14-inch, Nov 2023)", "Mac15,6", "Apple M3 Pro", "36 GB LPDDR5", 994.0),
        _mac("MacBook Pro (16-inch, 2019)", "MacBookPro16,1", "6-Core Intel Core i7", "16 GB DDR4", 500.0),
        _mac("Mac mini (2024)", "Mac16,10", "Apple M4", "16 GB LPDDR5", 245.0),
        _mac("iMac (24-inch, 2023)", "Mac15,5", "Apple M3", "24 GB LPDDR5", 994.0),
        _mac("Virtual Machine", "VirtualMac2,1", "Apple processor (Virtual)", "8 GB", 49.0),
    ),
    "iPhone": (
        _mobile("iPhone", "iPhone 13", "iPhone14,5", 128.0),
        _mobile("iPhone", "iPhone 14", "iPhone14,7", 128.0),
        _mobile("iPhone", "iPhone 15 Pro", "iPhone16,1", 256.0),
        _mobile("iPhone", "iPhone 16", "iPhone17,3", 256.0),
        _mobile("iPhone", "iPhone SE (3rd generation)", "iPhone14,6", 64.0),
    ),
    "iPad": (
        _mobile("iPad", "iPad (8th generation) (Wi-Fi)", "iPad11,6", 128.0),
        _mobile("iPad", "iPad (10th generation) (Wi-Fi)", "iPad13,18", 64.0),
        _mobile("iPad", "iPad Air (5th generation) Wi-Fi + Cellular", "iPad13,17", 256.0),
        _mobile("iPad", "iPad Pro 11-inch (M4)", "iPad16,3", 512.0),
    ),
    "AppleTV": (
        _mobile("AppleTV", "Apple TV 4K (2nd generation)", "AppleTV11,1", 32.0),
        _mobile("AppleTV", "Apple TV 4K (3rd generation)", "AppleTV14,1", 64.0),
    ),
    "Windows": (Hardware(family="Windows", name="Latitude 5440", identifier="Latitude 5440", capacity_gb=509.0),),
    "Android": (Hardware(family="Android", name="Pixel 8", identifier="Pixel 8", capacity_gb=118.0),),
}


def _release(version: str, build: str, name: str = "", extra: str = "") -> OsRelease:
    return OsRelease(version=version, build=build, name=name, extra=extra)


_IOS = (
    _release("17.6.1", "21G93"),
    _release("17.7.2", "21H221"),
    _release("18.1", "22B83"),
    _release("18.3.2", "22D82"),
    _release("18.5", "22F76"),
)
RELEASES: dict[str, tuple[OsRelease, ...]] = {
    "Mac": (
        _release("13.6.9", "22G830", "Ventura"),
        _release("14.4.1", "23E224", "Sonoma"),
        _release("14.7.1", "23H222", "Sonoma"),
        _release("15.1", "24B83", "Sequoia"),
        _release("15.3.2", "24D81", "Sequoia"),
        _release("15.5", "24F74", "Sequoia", "(a)"),
    ),
    "iPhone": _IOS,
    "iPad": _IOS,
    "AppleTV": (_release("17.6.1", "21M80"), _release("18.1", "22J580"), _release("18.5", "22L572")),
    "Windows": (_release("23H2", "22631"), _release("24H2", "26100")),
    "Android": (_release("14", "UP1A"), _release("15", "AP3A")),
}
"""Oldest first, so that an update is the next one."""

_SERIAL_LETTERS = "CDFGHJKLMNPQRTVWXY0123456789"


def draw_serial(draw: random.Random) -> str:
    """Return a serial number in one of the two lengths that Apple uses."""
    return draw.choice("CDFGHJKLMNPQ") + "".join(draw.choices(_SERIAL_LETTERS, k=draw.choice((9, 11, 11))))


def next_release(family: str, version: str) -> OsRelease:
    """Return the release after ``version``; after the newest comes a new minor one."""
    releases = RELEASES[family]
    for position, release in enumerate(releases[:-1]):
        if release.version == version:
            return releases[position + 1]
    major, _, minor = version.partition(".")
    bumped = f"{major}.{int(minor.partition('.')[0] or 0) + 1}" if major.isdigit() else version
    newest = releases[-1]
    return OsRelease(version=bumped, build=newest.build[:-1] + "9", name=newest.name)

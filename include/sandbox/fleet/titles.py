# ruff: noqa: RUF001 - names as vendors write them
"""The applications that a fleet knows: Apple's own, other vendors', helpers, and made-up ones."""

import random

from include.sandbox.fleet.model import AppTitle
from include.sandbox.fleet.randomness import stream

_APPLE_SIGNATURE = "Software Signing, Apple Code Signing Certification Authority, Apple Root CA"
_SYSTEM = (
    "Activity Monitor", "App Store", "Automator", "Books", "Calculator", "Calendar", "Chess", "Clock",
    "Console", "Contacts", "Dictionary", "Disk Utility", "FaceTime", "FindMy", "Font Book", "Freeform",
    "Home", "Image Capture", "Keychain Access", "Launchpad", "Mail", "Maps", "Messages", "Music", "News",
    "Notes", "Photo Booth", "Photos", "Podcasts", "Preview", "QuickTime Player", "Reminders", "Safari",
    "Screenshot", "Shortcuts", "Siri", "Stickies", "Stocks", "System Settings", "Terminal", "TextEdit",
    "Time Machine", "Tips", "TV", "VoiceMemos", "Weather",
)  # fmt: skip
_UTILITIES = frozenset({"Activity Monitor", "Console", "Disk Utility", "Screenshot", "Terminal"})
# name, bundle id, developer, team id, category
_VENDORS = (
    ("1Password 7", "com.agilebits.onepassword7", "AgileBits Inc.", "2BUA8C4S2C", "productivity"),
    ("Google Chrome", "com.google.Chrome", "Google LLC", "EQHXZ8M8AV", "productivity"),
    ("Slack", "com.tinyspeck.slackmacgap", "Slack Technologies, Inc.", "BQR82RBBHL", "business"),
    ("zoom.us", "us.zoom.xos", "Zoom Video Communications, Inc.", "BJ4HAAB9B3", "business"),
    ("Microsoft Word", "com.microsoft.Word", "Microsoft Corporation", "UBF8T346G9", "productivity"),
    ("Microsoft Excel", "com.microsoft.Excel", "Microsoft Corporation", "UBF8T346G9", "productivity"),
    ("Microsoft Teams", "com.microsoft.teams2", "Microsoft Corporation", "UBF8T346G9", "business"),
    ("Microsoft Outlook", "com.microsoft.Outlook", "Microsoft Corporation", "UBF8T346G9", "productivity"),
    ("Visual Studio Code", "com.microsoft.VSCode", "Microsoft Corporation", "UBF8T346G9", "developer-tools"),
    ("Firefox", "org.mozilla.firefox", "Mozilla Corporation", "43AQ936H96", "productivity"),
    ("Okta Verify", "com.okta.mobile", "Okta, Inc.", "B7F62B65BN", "business"),
    ("Figma", "com.figma.Desktop", "Figma, Inc.", "T8RA8NE3B7", "graphics-design"),
    ("Docker", "com.docker.docker", "Docker Inc", "9BNSXJN65R", "developer-tools"),
    ("GitHub Desktop", "com.github.GitHubClient", "GitHub", "VEKTX9H2N7", "developer-tools"),
    ("Adobe Acrobat", "com.adobe.Acrobat.Pro", "Adobe Inc.", "JQ525L2MZD", "productivity"),
    ("Spotify", "com.spotify.client", "Spotify", "2FNC3A47ZF", "music"),
    ("iTerm", "com.googlecode.iterm2", "George Nachman", "H7V7XYVQ7D", "developer-tools"),
    ("Übersicht", "tracesOf.Uebersicht", "Felix Hageloh", "GZ4T3RW84P", "utilities"),
    ("微信", "com.tencent.xinWeChat", "腾讯科技（深圳）有限公司", "5A4RE8SF68", "social-networking"),
    ("Proxyman – Pro ✨", "com.proxyman.NSProxy", "Proxyman LLC", "3X57WP8E8V", "developer-tools"),
    ("Children’s Book", "se.barnbok.app", "Förlaget “Björk” AB", "9ABCDE1234", "education"),
    ("Postman", "com.postmanlabs.mac", "Postman, Inc.", "H7H8Q7M5CK", "developer-tools"),
)  # fmt: skip
_MOBILE = (
    ("Okta Verify", "com.okta.mobile"), ("Slack", "com.tinyspeck.chatlyio"), ("Zoom", "us.zoom.videomeetings"),
    ("Microsoft Teams", "com.microsoft.skype.teams"), ("Outlook", "com.microsoft.Office.Outlook"),
    ("Google Drive", "com.google.Drive"), ("Chrome", "com.google.chrome.ios"), ("Notion", "notion.id"),
    ("Duo Mobile", "com.duosecurity.DuoMobile"), ("Kandji Self Service", "io.kandji.Kandji-iOS"),
)  # fmt: skip
_NOUNS = (
    "Atlas", "Beacon", "Cinder", "Drift", "Ember", "Fathom", "Grove", "Harbor", "Inlet", "Juniper",
    "Kiln", "Lumen", "Meadow", "Nimbus", "Orchard", "Prism", "Quarry", "Ridge", "Summit", "Tundra",
)  # fmt: skip
_KINDS = ("Notes", "Sync", "Board", "Studio", "Viewer", "Connect", "Backup", "Helper", "Planner", "VPN")


def mac_titles(seed: int, count: int) -> tuple[AppTitle, ...]:
    """Return at least ``count`` titles for Macs, the commonest first, helpers beside their apps."""
    draw = stream(seed, "mac titles")
    titles = [_system_title(key, name) for key, name in enumerate(_SYSTEM, start=1)]
    for vendor in _VENDORS:
        _add_with_helpers(draw, titles, vendor)
    number = 0
    while len(titles) < count:
        _add_with_helpers(draw, titles, _made_up(number))
        number += 1
    return tuple(titles)


def mobile_titles(first_key: int, count: int) -> tuple[AppTitle, ...]:
    """Return at least ``count`` titles for iPhone, iPad and Apple TV; they have no path."""
    named = list(_MOBILE)
    for number in range(max(0, count - len(named))):
        name, bundle_id, *_ = _made_up(number)
        named.append((f"{name} Mobile", f"{bundle_id}.ios"))
    return tuple(
        _mobile_title(first_key + position, name, bundle_id) for position, (name, bundle_id) in enumerate(named)
    )


def _made_up(number: int) -> tuple[str, str, str, str, str]:
    noun, kind = _NOUNS[number % len(_NOUNS)], _KINDS[number // len(_NOUNS) % len(_KINDS)]
    edition = number // (len(_NOUNS) * len(_KINDS))
    name = f"{noun} {kind}" + (f" {edition + 1}" if edition else "")
    bundle_id = f"com.{noun.lower()}.{name.lower().replace(' ', '-')}"
    return name, bundle_id, f"{noun} Software GmbH", f"{noun[:4].upper():X<4}{number:06d}", "utilities"


def _system_title(key: int, name: str) -> AppTitle:
    folder = "/System/Applications/Utilities" if name in _UTILITIES else "/System/Applications"
    return AppTitle(
        key=key,
        name=name,
        path=f"{folder}/{name}.app",
        bundle_id=f"com.apple.{name.replace(' ', '')}",
        developer_name="Apple",
        signature=_APPLE_SIGNATURE,
        source="Apple",
        category="public.app-category.utilities",
        executable=name,
        minimum_system_version="13.0",
    )


def _add_with_helpers(draw: random.Random, titles: list[AppTitle], vendor: tuple[str, str, str, str, str]) -> None:
    name, bundle_id, developer, team, category = vendor
    path = f"/Applications/{name}.app"
    titles.append(_vendor_title(len(titles) + 1, name, path, bundle_id, (developer, team, category)))
    for helper in ("Helper", "Helper (Renderer)", "Launcher")[: draw.choice((0, 0, 1, 2, 3))]:
        inside = "LoginItems" if helper == "Launcher" else "Frameworks"
        helper_path = f"{path}/Contents/Library/{inside}/{name} {helper}.app"
        helper_id = f"{bundle_id}.{helper.lower().replace(' (', '.').rstrip(')')}"
        identity = (developer, team, category)
        titles.append(_vendor_title(len(titles) + 1, f"{name} {helper}", helper_path, helper_id, identity))


def _vendor_title(key: int, name: str, path: str, bundle_id: str, identity: tuple[str, str, str]) -> AppTitle:
    developer, team, category = identity
    return AppTitle(
        key=key,
        name=name,
        path=path,
        bundle_id=bundle_id,
        developer_name=developer,
        team_id=team,
        signature=f"Developer ID Application: {developer} ({team}), "
        "Developer ID Certification Authority, Apple Root CA",
        source="Identified Developer",
        category=f"public.app-category.{category}",
        copyright=f"Copyright © {developer} All rights reserved.",
        executable=name,
        minimum_system_version="12.0",
    )


def _mobile_title(key: int, name: str, bundle_id: str) -> AppTitle:
    return AppTitle(
        key=key,
        name=name,
        path="",
        bundle_id=bundle_id,
        app_store_vendable=key % 3 == 0,
        device_based_vpp=key % 2 == 0,
        bundle_size_bytes=40_000_000 + key * 131_072,
    )

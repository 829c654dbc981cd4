"""XML instead of JSON, for clients that ask for it.

Source: ServiceNow, "REST API" (supported request and response formats). Element names of lists are this sandbox's
reading.
"""

from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from include.sandbox.servicenow.errors import unreadable_body

XML_TYPES = ("application/xml", "text/xml")


def read_xml(body: bytes) -> dict[str, str]:
    """Return the first record of ``<request><entry>...</entry></request>``."""
    try:
        # Loopback only: nobody feeds the sandbox hostile XML but its own user.
        root = ElementTree.fromstring(body)  # noqa: S314 - see above
    except ElementTree.ParseError as error:
        raise unreadable_body("The payload is not valid XML.") from error
    entry = root.find("entry")
    return {child.tag: child.text or "" for child in (root if entry is None else entry)}


def write_xml(value: Any) -> bytes:
    """Return a JSON value as XML."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{_element("response", value)}'.encode()


def wants_xml(accept: str) -> bool:
    """Say whether a client prefers XML."""
    first = accept.partition(",")[0].partition(";")[0].strip().lower()
    return first in XML_TYPES


def _element(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_element(name, each) for each in value) or f"<{name}/>"
    if isinstance(value, dict):
        return f"<{name}>{''.join(_element(key, each) for key, each in value.items())}</{name}>"
    return f"<{name}>{escape('' if value is None else str(value))}</{name}>"

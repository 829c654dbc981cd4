"""Keep people's data out of logs: what a server said about a row is shown without the row's values.

ServiceNow repeats values in its messages ("Reference field value rejected: assigned_to=jane@acme.example"). Files of a
run keep them whole; a log shows the message's own words. A word is taken for the message's own where it is lower-case
English, a column or table name, or on a short list, so that an unknown word is masked rather than shown.
"""

import re

MASK = "***"

LONGEST = 500
"""Characters of a message that are looked at; what stands behind them is left out."""

_VALUES = re.compile(
    r"""
      \S+://\S+                                             # addresses
    | [^\s<>"'=,;:()]+(?:@|%40)[^\s<>"'=,;:()]+             # e-mail addresses
    | (?<!\w)"(?:\\.|[^"\\])*(?:"|$)                        # quoted values, also where the message was cut within one
    | (?<!\w)'(?:\\.|[^'\\])*(?:'(?!\w)|$)
    | [\u2018-\u201f\xab\xbb`][^\u2018-\u201f\xab\xbb`]*(?:[\u2018-\u201f\xab\xbb`]|$)
    | (?<==)[^;)\n]+                                        # field=value, up to what ends a list of them
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"\w+(?:[.'\u2019]\w+)*|\*\*\*")
_OWN = re.compile(r"[a-z]+(?:'[a-z]{1,2})?|[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[a-z]{1,2}[A-Z][A-Za-z]+|\d{1,4}|\*\*\*")
_REPEATED = re.compile(r"\*\*\*(?:[\s,.'\u2019-]*\*\*\*)+")

_CAPITALISED = frozenset(
    """A Access ACL Android API Apple AppleTV Authenticated Authentication Authorized Bad Before Business Can
    Cannot Choice CI CMDB Column Columns Could Credentials Cursor Data Denied Detail Device Duplicate Error
    Exception Export Failed Field File Filter Forbidden Gateway HH HTTP ID Import Insert Insufficient Internal
    Invalid IP IRE Iru It JSON Kandji Level Limit Mac Mandatory Many Max MB Method Missing MM Must Newer No Not
    NULL Null Number Object One Only Operation Page Parameter Parameters Payload Permission Please Prism
    Property Query Rate Record Records Reference Rejected Request Requests Required Resource Row Rule Script
    Server Service ServiceNow Set Source Table Target The There This Time Timeout To Token Too Transaction
    Transform Unable Unauthorized Unavailable Unknown Update User UTC Validation Value Warning Windows XML You
    Your""".split()  # noqa: SIM905
)


def masked(text: str) -> str:
    """Return a message, cut to ``LONGEST``, with every value in it replaced by ``***``: names, addresses, serials, ids.

    A name in lower case that stands free in a sentence cannot be told from a word; nothing else is kept that is not
    known to be harmless.
    """
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    without_values = _VALUES.sub(MASK, shown)
    words = _WORD.sub(_kept, without_values)
    return _REPEATED.sub(MASK, words)


def _kept(word: re.Match[str]) -> str:
    return word[0] if word[0] in _CAPITALISED or _OWN.fullmatch(word[0]) else MASK

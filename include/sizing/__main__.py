"""``python -m include.sizing [--devices 25000 --apps 80]``: what fleets of these sizes cost, as a table."""

import argparse
import sys

from rich.console import Console

from include.sizing.model import SLOW, Fleet, Server
from include.sizing.sheet import DEVICES, sheet
from include.sizing.show import as_markdown, as_table


def main() -> int:
    """Print the sheet of the fleets that were asked for, and return the exit status."""
    options = _read_options()
    fleets = [Fleet(devices, options.apps) for devices in options.devices or DEVICES]
    columns = [f"{fleet.devices:,}" for fleet in fleets]
    server = Server(options.round_trip, options.fixed, options.row, options.slots)
    parts = sheet(fleets, server=server)
    if options.markdown:
        print(as_markdown(parts, columns))
    else:
        Console().print(as_table(parts, columns))
    return 0


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m include.sizing", description=__doc__, allow_abbrev=False)
    parser.add_argument("--devices", type=_whole, nargs="+", help="sizes of fleets; without it 1 k to 1 M")
    parser.add_argument("--apps", type=_whole, default=60, help="applications per device (default: 60)")
    parser.add_argument("--row", type=_seconds, default=SLOW.row_s, help="ServiceNow's seconds per row (0.0108)")
    parser.add_argument("--fixed", type=_seconds, default=SLOW.fixed_s, help="its seconds per request (0.02)")
    parser.add_argument("--round-trip", type=_seconds, default=SLOW.round_trip_s, help="seconds on the way (0.04)")
    parser.add_argument("--slots", type=_whole, default=SLOW.slots, help="requests that it works on at a time (4)")
    parser.add_argument("--markdown", action="store_true", help="as deploy/SIZING.md has it")
    return parser.parse_args()


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is needed, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 60:
        raise argparse.ArgumentTypeError(f"seconds above 0 and below 60 are needed, not {text!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())

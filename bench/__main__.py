"""``python -m bench [--part chaos] [--devices 10000] [--seeds 10]``: measure, print tables, keep results.json."""

import argparse
import sys

from bench.parts import PARTS
from bench.results import FILE, keep


def main() -> int:
    """Run one part or all; the exit status is 0 when each kept what it promises, else 1."""
    options = _read_options()
    passed = True
    for name in [options.part] if options.part else [name for name, part in PARTS.items() if part.in_set]:
        measured = PARTS[name].measure(options.devices, options.seeds)
        keep(name, measured)
        plot = PARTS[name].plot
        if plot:
            plot(measured)
        print("", *PARTS[name].table(measured), "", f"Results: {FILE}", sep="\n")
        passed = passed and bool(measured["passed"])
    return 0 if passed else 1


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    parser.add_argument("--part", choices=list(PARTS), help="one part; without it all but chaos")
    parser.add_argument("--devices", type=_positive, default=10_000)
    parser.add_argument("--seeds", type=_positive, default=10, help="how often a part is repeated with other chances")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is needed, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())

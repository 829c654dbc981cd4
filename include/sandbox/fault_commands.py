"""The command line's part about faults: options of ``serve``, and the commands ``faults`` and ``fault``."""

import argparse
import json
from pathlib import Path
from typing import Any

from include.sandbox.common.switches import SwitchError
from include.sandbox.fault_options import (
    check_fault,
    describe_faults,
    mixed_for_both,
    parse_fault,
    read_faults,
)
from include.sandbox.remote import add_faults_remote, clear_faults_remote

_SYNTAX = "KIND[:key=value,...]"


def add_fault_options(serve: argparse.ArgumentParser) -> None:
    """Let ``serve`` take faults."""
    serve.add_argument(
        "--fault", action="append", default=[], metavar=_SYNTAX,
        help="e.g. servicenow.error_503:after=true,match=*/insertMultiple,nth=3; the command 'faults' lists them",
    )  # fmt: skip
    serve.add_argument("--faults", type=Path, metavar="FILE", help="JSON: a list, or an object with a list per service")
    serve.add_argument("--mixed-faults", type=float, default=0.0, metavar="SHARE", help="of all requests, e.g. 0.1")
    serve.add_argument("--faults-seed", type=int, default=1, help="the same seed strikes the same occasions (1)")


def read_fault_options(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return the faults that ``serve`` was asked for, as ``SandboxSpec.faults`` takes them."""
    from_file = read_faults(options.faults) if options.faults else []
    mixed = mixed_for_both(options.mixed_faults, options.faults_seed)
    return [*map(parse_fault, options.fault), *from_file, *mixed]


def add_catalogue_command(parser: argparse.ArgumentParser) -> None:
    """Describe the command ``faults``."""
    parser.set_defaults(run=_list)


def add_fault_command(parser: argparse.ArgumentParser) -> None:
    """Describe the command ``fault``; its address is described elsewhere."""
    parser.add_argument("fault", nargs="*", metavar=_SYNTAX, help="without the service, which the address names")
    parser.add_argument("--clear", action="store_true", help="end all faults, before any new one is added")
    parser.set_defaults(run=_change)


def _list(_options: argparse.Namespace) -> int:
    print(describe_faults())
    return 0


def _change(options: argparse.Namespace) -> int:
    wanted = [parse_fault(text) for text in options.fault]
    if not wanted and not options.clear:
        raise SwitchError(f"name a fault ({_SYNTAX}), or --clear")
    for fault in wanted:
        check_fault(fault)
    answer: Any = None
    if options.clear:
        answer = clear_faults_remote(options.url, options.ca)
    if wanted:
        answer = add_faults_remote(options.url, options.ca, wanted)
    print(json.dumps(answer["faults"], ensure_ascii=False, indent=2))
    return 0

"""The sandbox's command line: ``serve``, ``change``, ``show``, ``faults`` and ``fault``."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from include.sandbox.common.switches import SwitchError, split_pair
from include.sandbox.credentials import Credentials
from include.sandbox.fault_commands import (
    add_catalogue_command,
    add_fault_command,
    add_fault_options,
    read_fault_options,
)
from include.sandbox.fleet import FleetSpec
from include.sandbox.iru.change_plan import ChangeCounts
from include.sandbox.remote import RemoteError, change_remote, show_remote
from include.sandbox.serve import Sandbox, SandboxSpec

_SPEC_OPTIONS = ("unassigned_share", "unknown_user_share", "non_apple_share")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and where to read more; takes no shortened options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0 done, 1 the sandbox refused, 2 a bad option."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    try:
        return int(options.run(options))
    except (SwitchError, ValueError, OSError) as error:
        parser.error(str(error))
    except RemoteError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1


def _build_parser() -> _Parser:
    parser = _Parser(prog="python -m include.sandbox", description="An Iru tenant and a ServiceNow instance.")
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=_Parser)
    _add_serve(commands.add_parser("serve", help="run both servers until SIGTERM or SIGINT"))
    change = commands.add_parser("change", help="change the fleet of a running sandbox")
    _add_target(change)
    change.add_argument("--seed", type=int, default=1, help="the same seed makes the same changes (1)")
    for field in fields(ChangeCounts):
        change.add_argument(f"--{field.name.replace('_', '-')}", type=int, default=0, metavar="N")
    change.set_defaults(run=_change)
    show = commands.add_parser("show", help="show what a running sandbox has seen")
    _add_target(show)
    show.set_defaults(run=_show)
    add_catalogue_command(commands.add_parser("faults", help="list what can go wrong on request"))
    fault = commands.add_parser("fault", help="let something go wrong at a running server")
    _add_target(fault)
    add_fault_command(fault)
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="address of the running server")
    parser.add_argument("--ca", type=Path, help="its certificate authority, when it speaks TLS")


def _add_serve(parser: argparse.ArgumentParser) -> None:
    default = FleetSpec()
    parser.add_argument("--iru-port", type=_port, default=0, help="0 takes a free one")
    parser.add_argument("--servicenow-port", type=_port, default=0, help="0 takes a free one")
    parser.add_argument("--devices", type=int, default=default.devices)
    parser.add_argument("--apps-per-device", type=int, default=default.apps_per_device, help="on average")
    parser.add_argument("--seed", type=int, default=default.seed)
    for name in _SPEC_OPTIONS:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(default, name))
    parser.add_argument("--odd-rows", type=int, default=default.odd_rows, help="of each kind, at 500 devices")
    parser.add_argument("--database-dir", type=Path, help="keep the state in SQLite files there")
    parser.add_argument("--tls", action="store_true", help="serve HTTPS with a certificate authority of its own")
    parser.add_argument("--tls-dir", type=Path, help="where to write ca.pem and the certificate; implies --tls")
    parser.add_argument(
        "--switches", nargs="+", action="extend", default=[], metavar="KEY=VALUE",
        help="of either service, e.g. iru.prism_offset=true",
    )  # fmt: skip
    add_fault_options(parser)
    for field in fields(Credentials):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", help=f"else SANDBOX_{field.name.upper()}, else from the seed"
        )
    parser.set_defaults(run=_serve)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"a port lies between 0 and 65535, got {text}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Sandbox(_read_spec(options)) as sandbox:
        print(json.dumps(sandbox.ready_line()), flush=True)
        stop.wait()
    return 0


def _read_spec(options: argparse.Namespace) -> SandboxSpec:
    given: dict[str, Any] = vars(options)
    switches = dict(map(split_pair, options.switches))
    fleet = FleetSpec(
        devices=options.devices,
        apps_per_device=options.apps_per_device,
        seed=options.seed,
        odd_rows=options.odd_rows,
        **{name: given[name] for name in _SPEC_OPTIONS},
    )
    return SandboxSpec(
        fleet=fleet,
        iru_port=options.iru_port,
        servicenow_port=options.servicenow_port,
        credentials=Credentials.draw(options.seed, given),
        database_dir=options.database_dir,
        tls=options.tls or options.tls_dir is not None,
        tls_dir=options.tls_dir,
        switches=switches,
        faults=read_fault_options(options),
    )


def _change(options: argparse.Namespace) -> int:
    counts = {field.name: getattr(options, field.name) for field in fields(ChangeCounts)}
    ChangeCounts.read(counts)
    answer = change_remote(options.url, options.ca, {**counts, "seed": options.seed})
    print(json.dumps(answer, ensure_ascii=False, indent=2))
    return 0


def _show(options: argparse.Namespace) -> int:
    print(show_remote(options.url, options.ca))
    return 0

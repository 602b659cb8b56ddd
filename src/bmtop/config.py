"""The settings: flags over environment over files over defaults. Nothing here reads a log or runs a command."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bmtop.checked import Refused
from bmtop.incident.reasons import Thresholds
from bmtop.response.other_servers import AccountCommands, account_commands, argument_list
from bmtop.server import SYSTEM_PATH
from bmtop.spans import seconds

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILES = (Path("/etc/bmtop.toml"), Path("~/.config/bmtop/config.toml"))
LOGS = (Path("/var/log/mail.log"), Path("/var/log/maillog"))


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. `window` is in seconds, `undo_keep` in hours, `undo_size` in bytes.

    `accounts` is None for BlueMind. `sasl_service` remembers good passwords; `sasl_restart` is the command that
    makes it forget them, `{service}` in it its name.
    """

    log: Path | None = None
    postfix: Path | None = None
    window: float = 900.0
    threshold: int = 200
    read_only: bool = False
    mask: bool = False
    state: Path = Path("/var/lib/bmtop")
    bm_cli: str = "/usr/bin/bm-cli"
    bm_api: str = "http://127.0.0.1:8090/api"
    bm_token: Path = Path("/etc/bm/bm-core.tok")
    bm_ca: Path | None = None
    accounts: AccountCommands | None = None
    sasl_service: str = "bm-ysnp"
    sasl_restart: tuple[str, ...] = ()
    default_domain: str = ""
    domain_aliases: Mapping[str, str] = field(default_factory=dict)
    own_addresses: tuple[str, ...] = ()
    path: tuple[str, ...] = SYSTEM_PATH
    undo_keep: float = 24.0
    undo_size: int = 2_000_000_000
    reasons: Thresholds = field(default_factory=Thresholds)

    @property
    def log_file(self) -> Path:
        """The log: the one that is set, else the first of the usual ones that is there."""
        if self.log is not None:
            return self.log
        return next((path for path in LOGS if path.exists()), LOGS[0])


_PATHS = frozenset({"log", "postfix", "state", "bm_token", "bm_ca"})
# What no environment variable can hold.
_TABLES = frozenset({"path", "reasons", "domain_aliases", "sasl_restart"})


def _value(name: str, value: Any, where: str) -> Any:
    """Return `value` in the setting's type; raises `Refused` where it has another."""
    default = {f.name: f for f in fields(Settings)}.get(name)
    if default is None:
        raise Refused(f"{where} sets {name[:40]!a}, which bmtop does not know; see the README's list of settings.")
    try:
        if name in _PATHS:
            return Path(os.path.abspath(os.path.expanduser(value)))
        if name == "window":
            return seconds(str(value))
        if name in ("own_addresses", "path"):
            return tuple(str(v) for v in value)
        if name == "reasons":
            return replace(Thresholds(), **{str(k): type(getattr(Thresholds(), k))(v) for k, v in value.items()})
        if name == "accounts":
            return account_commands(value)
        if name == "sasl_restart":
            return argument_list(value, ("service", "login"))
        if name == "domain_aliases":
            return {str(k).lower(): str(v).lower() for k, v in value.items()}
        if name in ("read_only", "mask"):
            return value if isinstance(value, bool) else str(value).lower() in ("1", "yes", "true", "on")
        if name in ("threshold", "undo_size"):
            return int(value)
        return float(value) if name == "undo_keep" else str(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused(f"{where} sets {name} to a value that cannot be used: {error}.") from None


def _file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise Refused(f"{path} is not valid TOML: {error}; mend it, or move it away.") from None


def load(flags: Mapping[str, Any], environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Return the settings from `flags` over `BMTOP_*` of `environment` over `config` or the usual files.

    Raises `Refused` for a file or a value that is not understood.
    """
    found: dict[str, Any] = {}
    if config is not None and not config.is_file():
        raise Refused(f"There is no settings file {config}; see whether --config is right.")
    for path in [config] if config is not None else [file.expanduser() for file in FILES]:
        if path.is_file():
            for name, value in _file(path).items():
                found[name] = _value(name, value, str(path))
    for name in (f.name for f in fields(Settings)):
        if f"BMTOP_{name.upper()}" in environment and name not in _TABLES:
            found[name] = _value(name, environment[f"BMTOP_{name.upper()}"], f"BMTOP_{name.upper()}")
    for name, value in flags.items():
        if value is not None:
            found[name] = _value(name, value, f"--{name.replace('_', '-')}")
    return Settings(**found)

"""The settings: flags over environment over files over defaults. Nothing here reads a log or runs a command."""

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bmtop import response
from bmtop.checked import Refused
from bmtop.incident.reasons import Thresholds
from bmtop.server import SYSTEM_PATH, home
from bmtop.spans import seconds
from bmtop.trusted import refuse_others

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from bmtop.response.other_servers import AccountCommands

SYSTEM_FILE = Path("/etc/bmtop.toml")
OWN_FILE = ".config/bmtop/config.toml"
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
    accounts: "AccountCommands | None" = None
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
_LISTS = frozenset({"own_addresses", "path"})
# What no environment variable can hold.
_TABLES = frozenset({*_LISTS, "reasons", "domain_aliases", "sasl_restart"})


def _value(name: str, value: Any, where: str) -> Any:
    """Return `value` in the setting's type; raises `Refused` where it has another."""
    if name not in {f.name for f in fields(Settings)}:
        raise Refused(f"{where} sets {name[:40]!a}, which bmtop does not know; see the README's list of settings.")
    try:
        return _typed(name, value)
    except (TypeError, ValueError, AttributeError) as error:
        raise Refused(f"{where} sets {name} to a value that cannot be used: {str(error).rstrip('.')}.") from None


def _typed(name: str, value: Any) -> Any:
    if name in _PATHS:
        return _path(value)
    if name == "window":
        return seconds(str(value))
    if name in _LISTS:
        return _strings(name, value)
    if name == "reasons":
        return replace(Thresholds(), **{str(k): type(getattr(Thresholds(), k))(v) for k, v in value.items()})
    if name == "accounts":
        return response.other_servers.account_commands(value)
    if name == "sasl_restart":
        return response.other_servers.argument_list(value, ("service", "login"))
    if name == "domain_aliases":
        return {str(k).lower(): str(v).lower() for k, v in value.items()}
    if name in ("read_only", "mask"):
        return _yes_or_no(value)
    if name in ("threshold", "undo_size"):
        return _positive(int(value))
    return _positive(float(value)) if name == "undo_keep" else str(value)


def _path(value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("it is no path")
    return Path(os.path.abspath(f"{home()}{value[1:]}" if value.startswith("~/") else value))


def _strings(name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("it is no list of texts")
    if name == "path" and not all(map(os.path.isabs, value)):
        raise ValueError("commands are looked for in absolute folders only")
    return tuple(value)


def _yes_or_no(value: Any) -> bool:
    said = str(value).lower()
    if said not in ("1", "yes", "true", "on", "0", "no", "false", "off"):
        raise ValueError("it is neither true nor false")
    return said in ("1", "yes", "true", "on")


def _positive(number: Any) -> Any:
    if not 0 < number < math.inf:
        raise ValueError("it is no number above zero")
    return number


def _file(path: Path) -> dict[str, Any]:
    """Return what a settings file sets, nothing where there is none. Raises `Refused`."""
    try:
        with path.open("rb") as file:
            refuse_others(path, "The settings file")
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Refused(f"The settings file {path} cannot be read ({(error.strerror or 'no').lower()}).") from None
    except ValueError as error:
        raise Refused(f"{path} is not valid TOML: {error}; mend it, or move it away.") from None


def load(flags: Mapping[str, Any], environment: Mapping[str, str], config: Path | None = None) -> Settings:
    """Return the settings from `flags` over `BMTOP_*` of `environment` over `config` or the usual files.

    Raises `Refused` for a file or a value that is not understood, and where root would go by what others can change.
    """
    found: dict[str, Any] = {}
    if config is not None and not config.is_file():
        raise Refused(f"There is no settings file {config}; see whether --config is right.")
    # Under sudo, HOME may still be the caller's: root goes by its own home.
    for path in (SYSTEM_FILE, Path(home(), OWN_FILE)) if config is None else (config,):
        for name, value in _file(path).items():
            found[name] = _value(name, value, str(path))
    for name in (f.name for f in fields(Settings)):
        variable = f"BMTOP_{name.upper()}"
        if environment.get(variable) and name not in _TABLES:
            found[name] = _value(name, environment[variable], variable)
    for name, value in flags.items():
        if value is not None:
            found[name] = _value(name, value, f"--{name.replace('_', '-')}")
    settings = Settings(**found)
    refuse_others(settings.state, "The state folder")
    if settings.postfix is not None:
        refuse_others(settings.postfix, "Postfix's configuration")
    return settings

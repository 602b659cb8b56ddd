"""postconf(1): print parameters of main.cf (-h without names, -n set ones, -x expanded, -d defaults), or set (-e)."""

import sys
from collections.abc import Sequence
from pathlib import Path

from bmtop.demo.maincf import DEFAULTS, MainCf
from bmtop.demo.programs.common import Fatal, complain, configuration, getopt

_USAGE = (
    "usage: {} [-a (server SASL types)] [-A (client SASL types)] [-b (bounce templates)] [-c config_dir]"
    " [-c param_class] [-d (parameter defaults)] [-e (edit configuration)] [-f (fold lines)] [-F (master.cf fields)]"
    " [-h (no names)] [-H (no values)] [-l (lock types)] [-m (map types)] [-M (master.cf)]"
    " [-n (non-default parameters)] [-o name=value (override parameter value)] [-p (main.cf, default)]"
    " [-P (master.cf parameters)] [-t (bounce templates)] [-T compile-version|run-version|public-key-algorithms]"
    " [-v (verbose)] [-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]"
)


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Print or set parameters; return the exit status. An unknown name is only a warning."""
    try:
        options, names = getopt(sys.argv[0], arguments, "c:dehnpvx", _USAGE.format(sys.argv[0]))
        letters = {letter for letter, _ in options}
        main_cf = configuration(folder, options)
        if "e" in letters or (names and "=" in names[0]):
            main_cf.edit(dict(_setting(name) for name in names or [""]))
        else:
            _print(main_cf, letters, names)
    except Fatal as error:
        complain(sys.argv[0], f"fatal: {error}")
        return error.status
    return 0


def _setting(text: str) -> tuple[str, str]:
    if not text:
        raise Fatal("-e requires name=value argument")
    name, equals, value = text.partition("=")
    if not equals:
        raise Fatal(f"missing '=' after attribute name: \"{text}\"")
    if not name.strip():
        raise Fatal(f'missing attribute name: "{text}"')
    return name.strip(), " ".join(value.split("\n")).strip()


def _print(main_cf: MainCf, letters: set[str], names: list[str]) -> None:
    for name in names or sorted(main_cf.own if "n" in letters else DEFAULTS | main_cf.own):
        value = DEFAULTS.get(name) if "d" in letters else main_cf.value(name)
        if value is None:
            complain(sys.argv[0], f"warning: {name}: unknown parameter")
        elif "n" not in letters or name in main_cf.own:
            shown = main_cf.expand(value) if "x" in letters else value
            print(shown if "h" in letters else f"{name} = {shown}".rstrip())

"""Packages whose modules are loaded when they are first named: neither the first screen nor a report waits for them."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType


def modules_of(package: str) -> Callable[[str], ModuleType]:
    """Return what such a package has as its `__getattr__` (PEP 562)."""

    def load(name: str) -> ModuleType:
        # Python itself asks whether there are names like `__path__`.
        if name.startswith("_"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return import_module(f"{package}.{name}")

    return load

"""The relays that are known as honest ones: a file in the state folder, an address or a range on each line.

What stands after a `#` is for people. Known relays are out of the alarm, and not out of sight.
"""

import ipaddress
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bmtop.checked import Refused
from bmtop.incident.selection import Network, network
from bmtop.response.journal import whoami

if TYPE_CHECKING:
    from bmtop.response.gate import Gate

_LARGEST = 1_000_000


class KnownRelays:
    """The list in the folder `state`. Reading makes no file; marking makes it, mode 0600."""

    def __init__(self, state: Path) -> None:
        self.path = state / "known-relays"

    def read(self) -> tuple[Network, ...]:
        """Return the addresses and ranges; raises `Refused` where the file, or a line of it, cannot be read."""
        found = []
        for number, line in enumerate(self._lines(), 1):
            entry = _entry(line)
            if entry:
                try:
                    found.append(network(entry))
                except Refused as error:
                    raise Refused(
                        f"Line {number} of {self.path}: {error} No relay counts as known until then."
                    ) from None
        return tuple(found)

    def mark(self, gate: "Gate", client: str) -> str:
        """Put a client, or a range, on the list; return what was done in a sentence.

        Raises `Refused` for what is no address, in read-only mode, or where the list cannot be written.
        """
        marked = network(client)
        with gate.action("mark as known", str(marked)) as step:
            if marked in self.read():
                step.sentence = f"{short(marked)} was known as an honest relay already."
            else:
                stamp = time.strftime("%Y-%m-%d", time.localtime())
                self._write([*self._lines(), f"{short(marked)}  # {whoami()}, {stamp}"])
                step.sentence = f"{short(marked)} is known as an honest relay now."
        return " ".join((step.sentence, *step.unwritten))

    def unmark(self, gate: "Gate", client: str) -> str:
        """Take a client, or a range, off the list; return what was done in a sentence. Raises as `mark` does."""
        marked = network(client)
        with gate.action("unmark as known", str(marked)) as step:
            listed = marked in self.read()
            if listed:
                self._write([line for line in self._lines() if not _entry(line) or network(_entry(line)) != marked])
            # One that was cut off may have done it already.
            if not listed and not step.again:
                around = next((str(one) for one in self.read() if _within(marked, one)), None)
                where = f" itself; {around} is: take that off" if around else ""
                raise Refused(f"{short(marked)} is not on the list of known relays{where}.")
            step.sentence = f"{short(marked)} is no known relay any more."
        return " ".join((step.sentence, *step.unwritten))

    def _lines(self) -> list[str]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._refused("read", error) from None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_LARGEST).decode("utf-8", "replace").splitlines()

    def _write(self, lines: list[str]) -> None:
        """Write the whole list beside the old one, and put it in its place."""
        new = self.path.with_name(".known-relays")
        try:
            # One that was killed left it.
            new.unlink(missing_ok=True)
            try:
                with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                    file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(new, self.path)
            finally:
                new.unlink(missing_ok=True)
        except OSError as error:
            raise self._refused("written", error) from None

    def _refused(self, what: str, error: OSError) -> Refused:
        reason = (error.strerror or "no").lower()
        return Refused(f"The list of known relays {self.path} cannot be {what} ({reason}); run `sudo bmtop`.")


def _entry(line: str) -> str:
    return line.partition("#")[0].strip()


def short(marked: Network) -> str:
    """Return a single address without its prefix."""
    return str(marked.network_address) if marked.num_addresses == 1 else str(marked)


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network):
        return isinstance(outer, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, ipaddress.IPv6Network) and inner.subnet_of(outer)

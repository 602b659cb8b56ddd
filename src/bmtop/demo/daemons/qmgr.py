"""The toy's qmgr(8), delivery agents, bounce(8) and pickup(8): what becomes of a message once it is in the queue.

All that is known of a message stands in its queue file. One that the administrator has held or deleted is not
where it was looked for, and nothing happens to it.
"""

import os
import zlib
from functools import partial
from random import Random

from bmtop.demo import queuefile
from bmtop.demo.daemons import letters
from bmtop.demo.daemons.machine import Machine
from bmtop.demo.daemons.providers import SPAM, Answer, answer
from bmtop.demo.maillog import FIRST_PID
from bmtop.demo.programs.common import quoted
from bmtop.demo.spool import Reason, is_id

_RUN_SECONDS = 30.0
_AT_ONCE = 40  # messages that a run of the deferred queue takes up again
_BACKOFF = (300.0, 4000.0)  # postconf(5), minimal_backoff_time and maximal_backoff_time
_PICKUP_SECONDS = 2.0


class QueueManager:
    """Takes care of the queue, with `rng` for what chance decides."""

    def __init__(self, machine: Machine, rng: Random) -> None:
        self.machine = machine
        self.rng = rng
        machine.after(_RUN_SECONDS, self._run_deferred)
        machine.after(_PICKUP_SECONDS, self._pickup)

    def accept(self, id: str) -> None:
        """Take care of a new message in `incoming`."""
        self.machine.after(0.02, partial(self._activate, id, "incoming"))

    def _activate(self, id: str, queue: str) -> None:
        machine = self.machine
        file = machine.spool.load(queue, id)
        if file is None or not machine.spool.move(id, queue, "active"):
            return
        try:
            queued = queuefile.read(file)
        except ValueError:
            machine.log("qmgr", f'warning: saving corrupt file "{id}" from queue "active" to queue "corrupt"')
            machine.spool.move(id, "active", "corrupt")
            return
        machine.log("qmgr", f"{id}: from=<{quoted(queued.sender)}>, size={queued.size}, nrcpt={len(queued.waiting)}"
                    " (queue active)")  # fmt: skip
        spam = _part(file) in SPAM
        seconds = self.rng.uniform(1.5, 5.0) if spam else self.rng.uniform(0.1, 1.2)
        machine.after(seconds, partial(self._deliver, id, seconds))

    def _deliver(self, id: str, in_active: float) -> None:
        """Try all recipients that wait, log each, and let the message go on its way: out, back, or to `deferred`."""
        spool = self.machine.spool
        file = spool.load("active", id)
        if file is None:
            return
        queued = queuefile.read(file)
        part = _part(file)
        age = max(self.machine.now - queued.arrival, in_active)
        reasons: list[Reason] = []
        failures: list[tuple[str, str]] = []
        served: list[int] = []
        for record in queued.waiting:
            to = record.text
            got = answer(to, part, 0 if age < _BACKOFF[0] else 1, self.rng)
            self._log_delivery(id, to, got, age, in_active)
            if got.status == "deferred":
                reasons.append(Reason(quoted(to), record.offset, got.dsn, got.text, got.mta, got.reply))
                continue
            served.append(record.offset)
            if got.status == "bounced":
                failures.append((to, got.text))
        self._mark(id, served)
        if failures and queued.sender:
            self._bounce(id, queued.sender, failures, part)
        if not reasons:
            if spool.remove("active", id):
                self.machine.log("qmgr", f"{id}: removed")
            return
        spool.defer(id, reasons)
        later = self.machine.now + min(max(age, _BACKOFF[0]), _BACKOFF[1])
        try:
            os.utime(spool.place("active", id), (self.machine.now, later))
        except FileNotFoundError:
            return
        spool.move(id, "active", "deferred")

    def _log_delivery(self, id: str, to: str, got: Answer, age: float, in_active: float) -> None:
        connecting, sending = self.rng.uniform(0.05, 0.3) * in_active, self.rng.uniform(0.1, 0.6) * in_active
        if got.relay == "none":
            sending = 0.0
        parts = (age - in_active, in_active - connecting - sending, connecting, sending)
        delays = "/".join(_seconds(part) for part in parts)
        pid = FIRST_PID + 10 + zlib.crc32(got.relay.encode()) % 20 if got.agent == "smtp" else None
        self.machine.log(
            got.agent,
            f"{id}: to=<{quoted(to)}>, relay={got.relay}, delay={_seconds(age)}, delays={delays}, dsn={got.dsn},"
            f" status={got.status} ({got.text})",
            pid,
        )

    def _mark(self, id: str, served: list[int]) -> None:
        """Turn the records of recipients who were served into done ones, in place, as qmgr does."""
        try:
            descriptor = os.open(self.machine.spool.place("active", id), os.O_WRONLY)
        except FileNotFoundError:
            return
        try:
            for offset in served:
                os.pwrite(descriptor, b"D", offset)
        finally:
            os.close(descriptor)

    def _bounce(self, original: str, sender: str, failures: list[tuple[str, str]], part: str) -> None:
        """Send the sender a notification, of which nobody logs who the client is: it is the server itself."""
        machine = self.machine
        kind = "bounce" if part in SPAM else "notification"

        def file(id: str) -> bytes:
            return queuefile.build(
                machine.now, "", (sender,), letters.bounce(id, original, sender, failures, kind, machine.now),
                before_sender=(("log_message_origin", "local"), ("trace_flags", "0")),
                extracted=(("encoding", "8bit"),),
            )  # fmt: skip

        id = machine.spool.enter(machine.microseconds(), file)
        machine.log("cleanup", f"{id}: message-id=<{letters.stamp(machine.now)}.{id}@mail.example.com>")
        machine.log("bounce", f"{original}: sender non-delivery notification: {id}")
        self.accept(id)

    def _run_deferred(self) -> None:
        """Take up deferred messages whose time has come: the file's modification time says when."""
        machine = self.machine
        machine.after(_RUN_SECONDS, self._run_deferred)
        due = []
        for id, path in machine.spool.names("deferred"):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            if is_id(id) and status.st_mtime <= machine.now and status.st_nlink == 1:
                due.append((status.st_mtime, id))
        for _, id in sorted(due)[:_AT_ONCE]:
            machine.after(0.0, partial(self._activate, id, "deferred"))

    def _pickup(self) -> None:
        """Take what `postsuper -r` has put into `maildrop` into the queue anew: under a new id."""
        machine = self.machine
        machine.after(_PICKUP_SECONDS, self._pickup)
        for old, _ in sorted(machine.spool.names("maildrop")):
            file = machine.spool.load("maildrop", old) if is_id(old) else None
            if file is not None:
                self._take_in(old, file)

    def _take_in(self, old: str, file: bytes) -> None:
        machine = self.machine
        queued = queuefile.read(file)
        attributes = [(name, value) for name, value in queued.attributes.items() if name not in _PER_MESSAGE]
        middle = next((n for n, (name, _) in enumerate(attributes) if name == "log_client_name"), len(attributes))
        anew = queuefile.build(
            queued.arrival, queued.sender, [record.text for record in queued.waiting],
            [line.decode("utf-8", "surrogateescape") for line in queuefile.content(file)],
            before_sender=attributes[:middle], after_sender=attributes[middle:],
        )  # fmt: skip
        id = machine.spool.enter(machine.microseconds(), lambda _: anew)
        if machine.spool.remove("maildrop", old):
            machine.log("pickup", f"{id}: uid={os.getuid()} from=<{quoted(queued.sender)}> orig_id={old}")
        self.accept(id)


_PER_MESSAGE = frozenset({"create_time", "dsn_orig_rcpt", "encoding"})


def _part(file: bytes) -> str:
    """Return what a message plays in the story: the record of a header says so."""
    head = f"{letters.PART_HEADER}: ".encode()
    place = file.find(head)
    return file[place + len(head) : place + file[place - 1]].decode() if place > 0 else ""


def _seconds(value: float) -> str:
    """Return a delay as Postfix logs it: two digits that mean something, and no more than two decimals."""
    if value >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2f}".rstrip("0").removesuffix(".")

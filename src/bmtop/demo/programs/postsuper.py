"""postsuper(1): delete, hold, release and requeue messages by id, and put a queue's files in order (-s)."""

import contextlib
import os
import stat
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bmtop.demo.maillog import MailLog
from bmtop.demo.programs.common import Fatal, complain, configuration, getopt, mail_log, spool, standard_input_lines
from bmtop.demo.spool import MESSAGE_QUEUES, Spool, is_id

_USAGE = (
    "usage: postsuper [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)]"
    " [-f queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)]"
    " [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)]"
    " [-S (redundant structure fix)][-v (verbose)] [queue...]"
)
_DEFAULT_QUEUES = ("defer", "bounce", "maildrop", "incoming", "active", "deferred", "hold", "flush")
_REPORTS = {"r": "Requeued", "d": "Deleted", "h": "Placed on hold", "H": "Released from hold"}
_DONE = {"r": "requeued", "d": "removed", "h": "placed on hold", "H": "released from hold"}


def run(folder: Path, arguments: Sequence[str]) -> int:
    """Do what the arguments say, in their order; return the exit status. An id that is gone is no error."""
    try:
        options, queues = getopt("postsuper", arguments, "c:d:h:H:r:sv", _USAGE)
        if not dict(options).get("c", "/").startswith("/"):
            raise Fatal("-c requires absolute pathname")
        main_cf = configuration(folder, options)
        _Super(spool(main_cf), mail_log(main_cf), queues or list(_DEFAULT_QUEUES)).act(options)
    except Fatal as error:
        complain("postsuper", f"fatal: {error}")
        return error.status
    return 0


class _Super:
    """One run of postsuper on these queues."""

    def __init__(self, queues: Spool, log: MailLog, names: list[str]) -> None:
        self.queues = queues
        self.log = log
        self.names = names
        self.renamed = 0
        self.verbose = False

    def act(self, options: list[tuple[str, str]]) -> None:
        letters = [letter for letter, _ in options]
        self.verbose = "v" in letters
        for name in self.names:
            if name not in (*_DEFAULT_QUEUES, "trace"):
                self.say(f"fatal: invalid directory name: {name}", on_terminal=False)
                raise Fatal(f"invalid directory name: {name}")
        by_id = [(letter, value) for letter, value in options if letter in _REPORTS]
        if "s" in letters or not by_id:
            self.put_in_order()
            if self.renamed and any(value != "ALL" for _, value in by_id):
                complain("postsuper", "error: QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS")
                raise Fatal("CHECK YOUR QUEUE IDS AND RE-ISSUE THE COMMAND")
        done = dict.fromkeys(_REPORTS, 0)
        for letter, value in by_id:
            if value == "ALL":
                done[letter] += self.everything(letter)
            else:
                ids = standard_input_lines() if value == "-" else iter((value,))
                done[letter] += sum(self.one(letter, id) for id in ids)
        for letter, report in _REPORTS.items():
            if letter in dict(by_id):
                self.say(f"{report}: {done[letter]} message{'' if done[letter] == 1 else 's'}")
        if self.renamed:
            self.say(f"Renamed to match inode number: {self.renamed} message{'' if self.renamed == 1 else 's'}")
            self.say("warning: QUEUE FILE NAMES WERE CHANGED TO MATCH INODE NUMBERS")

    def say(self, text: str, *, on_terminal: bool = True) -> None:
        if on_terminal:
            print(f"postsuper: {text}", file=sys.stderr)
        self.log.write(self.log.line(time.time(), "postsuper", os.getpid(), text))

    def everything(self, letter: str) -> int:
        """Act on all that is in the queues, without a word for each; return how many messages that were."""
        done = 0
        for queue in self.names:
            for id, path in list(self.queues.names(queue)):
                if letter == "d":
                    # What was known of a message stays in `defer`, unless that queue is emptied too.
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(path)
                        done += queue in MESSAGE_QUEUES
                elif queue in MESSAGE_QUEUES and is_id(id):
                    done += self.action(letter)(queue, id)
        return done

    def one(self, letter: str, id: str) -> bool:
        """Act on one message; False where it is in none of the queues that this action is for."""
        if not is_id(id):
            self.say(f"warning: invalid mail queue id: {id}")
            return False
        for queue in [name for name in self.names if name in MESSAGE_QUEUES] * 2:
            if self.queues.status(queue, id) and self.action(letter)(queue, id):
                self.say(f"{id}: {_DONE[letter]}")
                return True
        return False

    def action(self, letter: str) -> Callable[[str, str], bool]:
        return {"d": self.delete, "h": self.hold, "H": self.release, "r": self.requeue}[letter]

    def delete(self, queue: str, id: str) -> bool:
        return self.queues.remove(queue, id)

    def hold(self, queue: str, id: str) -> bool:
        return queue not in ("maildrop", "hold") and self.move(id, queue, "hold")

    def release(self, queue: str, id: str) -> bool:
        return queue == "hold" and self.move(id, queue, "deferred")

    def requeue(self, queue: str, id: str) -> bool:
        moved = queue != "maildrop" and self.move(id, queue, "maildrop")
        if moved:
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.queues.place("maildrop", id))
        return moved

    def move(self, id: str, old: str, new: str) -> bool:
        moved = self.queues.move(id, old, new)
        if moved and self.verbose:
            self.say(f"renamed file {self.queues.name(old, id)} as {self.queues.name(new, id)}")
        return moved

    def put_in_order(self) -> None:
        """Give each file the name that fits its inode, and the folder that fits its name."""
        for queue in self.names:
            for name, path in list(self.queues.names(queue)):
                try:
                    status = os.lstat(path)
                except FileNotFoundError:
                    continue
                if not stat.S_ISREG(status.st_mode):
                    continue
                inode = _inode(name) if queue in MESSAGE_QUEUES else status.st_ino
                if not is_id(name) or inode is None:
                    self.say(f"warning: bogus file name: {os.path.relpath(path, self.queues.folder)}")
                elif inode != status.st_ino:
                    self.rename(queue, name, f"{name[:5]}{status.st_ino:X}", path)
                elif path != self.queues.place(queue, name):
                    self.put(path, self.queues.place(queue, name))

    def rename(self, queue: str, old: str, new: str, path: str) -> None:
        for log in ("defer", "bounce"):
            with contextlib.suppress(FileNotFoundError):
                self.put(self.queues.place(log, old), self.queues.place(log, new))
        self.put(path, self.queues.place(queue, new))
        self.renamed += 1

    def put(self, path: str, target: str) -> None:
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        os.rename(path, target)


def _inode(id: str) -> int | None:
    try:
        return int(id[5:], 16)
    except ValueError:
        return None

"""Start a Postfix with an incident on it, to look at: `python -m tests.mailserver DIR [--scale N] [--live]`."""

import argparse
import contextlib
import itertools
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from . import stories
from .player import Client, Message, Player, Refused, Session
from .postfix import Postfix, PostfixError
from .stories import ALICE, CAROL, incident

Letter = Callable[[int, random.Random], Message]
GOES_ON: tuple[tuple[Client, str | None, Letter], ...] = (
    (stories.INTRUDER, ALICE, stories.alices_spam),
    (stories.INTRUDER6, ALICE, stories.alices_spam),
    (stories.OUTSIDE[0], None, stories.incoming_mail),
    (stories.BROKEN_RELAY, None, stories.relayed_spam),
    (stories.INTRUDER, ALICE, stories.alices_spam),
    (stories.OFFICE, CAROL, stories.carols_mail),
)


def main() -> int:
    """Run until Ctrl-C or SIGTERM; exit status 1 when Postfix cannot be started."""
    options = arguments()
    signal.signal(signal.SIGTERM, interrupt)
    made_here = not options.folder.exists()
    try:
        with (
            contextlib.suppress(KeyboardInterrupt),
            Postfix.start(options.folder, long_queue_ids=options.long_queue_ids) as postfix,
        ):
            show(postfix, options.scale, options.live)
    except (PostfixError, PermissionError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if made_here and not options.keep:
            shutil.rmtree(options.folder, ignore_errors=True)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mailserver", description=__doc__)
    parser.add_argument("folder", metavar="DIR", type=Path, help="where it lives, such as /tmp/mail")
    parser.add_argument("--scale", metavar="N", type=int, default=200, help="about so many messages (%(default)s)")
    parser.add_argument("--live", action="store_true", help="go on sending, a few messages a second")
    parser.add_argument("--long-queue-ids", action="store_true", help="enable_long_queue_ids = yes")
    parser.add_argument("--keep", action="store_true", help="leave the folder there at the end")
    return parser.parse_args()


def interrupt(number: int, frame: FrameType | None) -> None:
    """End as Ctrl-C does."""
    raise KeyboardInterrupt


def show(postfix: Postfix, scale: int, live: bool) -> None:
    """Play the incident, say how to look at it, and wait, or go on sending."""
    player = Player(postfix)
    began = time.monotonic()
    truth = incident(player, scale)
    seconds = time.monotonic() - began
    print(f"{len(truth.sent)} messages in {seconds:.1f} s; in the queue:")
    for label, count in truth.queued().most_common():
        print(f"{count:8,} {label}")
    print(f"SMTP on 127.0.0.1:{postfix.ports.smtp}, submission on 127.0.0.1:{postfix.ports.submission}")
    print(f"bmtop --postfix {postfix.etc} --log {postfix.log}")
    print("Ctrl-C ends it.", flush=True)
    if live:
        send_on(player)
    while True:
        signal.pause()


def send_on(player: Player) -> None:
    """Go on as the incident does, for ever; who is cut off comes back, as bots do, and says why when it cannot."""
    chance = random.Random()
    sessions: dict[tuple[Client, str | None], Session] = {}
    for number, (client, login, write) in enumerate(itertools.cycle(GOES_ON)):
        try:
            if (client, login) not in sessions:
                sessions[client, login] = player.connect(client, login)
            player.sent.append(sessions[client, login].send(write(number, chance)))
        except (OSError, Refused) as error:
            print(f"{client.address}: {error}", flush=True)
            if isinstance(error, OSError):
                sessions.pop((client, login), None)
        time.sleep(0.25)


if __name__ == "__main__":
    sys.exit(main())

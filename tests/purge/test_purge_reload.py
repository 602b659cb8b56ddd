"""Postfix is reloaded, as it is in an incident: that ends what it is just listing."""

from tests.mailserver import Client, Message, Player, Postfix
from tests.purge.commandline import Bmtop

ALICE = "alice@example.com"


def test_a_reload_in_the_middle_of_a_listing(postfix: Postfix, player: Player) -> None:
    """postqueue says of such a listing: malformed showq server response."""
    letters = [Message("spam", "x@lottery.example", ("v@bank.example",)) for _ in range(50)]
    player.send(Client("203.0.113.60"), letters, ALICE, connections=2)
    postfix.settle()
    folder = postfix.folder / "bin"
    folder.mkdir()
    program = folder / "postqueue"
    # The first time it is asked, a half answer, and what postqueue says then.
    program.write_text(
        f"""#!/bin/sh
if [ ! -e {folder}/once ]; then
    touch {folder}/once
    /usr/sbin/postqueue "$@" | head -n 10
    echo 'postqueue: fatal: malformed showq server response' >&2
    exit 1
fi
exec /usr/sbin/postqueue "$@"
"""
    )
    program.chmod(0o755)
    settings = folder / "bmtop.toml"
    settings.write_text(f'path = ["{folder}", "/usr/sbin", "/usr/bin", "/bin"]\n')
    looked = Bmtop(postfix, None, "--config", str(settings))("purge", "--login", ALICE, "--dry-run", "--json")
    assert (looked.status, len(looked.json["selected"])) == (0, 50)

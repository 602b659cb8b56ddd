"""Messages that leave the queue by hundreds while it is read: reading goes on without them, and loses none."""

import shutil
from pathlib import Path

from tests.mailserver import Client, Message, Player, Postfix
from tests.mailserver.postfix import run
from tests.purge.commandline import Bmtop

ALICE, CAROL = "alice@example.com", "carol@example.com"


def test_a_hundred_messages_leave_between_listing_and_reading(postfix: Postfix, player: Player, tmp_path: Path) -> None:
    letters = [Message("spam", f"x{n}@lottery.example", ("v@bank.example",)) for n in range(100)]
    gone = player.send(Client("203.0.113.60"), letters, ALICE, connections=2)
    stay = player.send(Client("203.0.113.60"), letters[:20], ALICE)
    postfix.settle()
    # The listing is from before they left.
    folder = postfix.folder / "bin"
    folder.mkdir()
    (folder / "listing").write_bytes(run("postqueue", "-c", str(postfix.etc), "-j").stdout)
    (folder / "postqueue").write_text(f"#!/bin/sh\nexec cat {folder}/listing\n")
    (folder / "postcat").write_text(f'#!/bin/sh\necho >> {folder}/reads\nexec /usr/sbin/postcat "$@"\n')
    for name in ("postqueue", "postcat"):
        (folder / name).chmod(0o755)
    settings = tmp_path / "bmtop.toml"
    settings.write_text(f'path = ["{folder}", "/usr/sbin", "/usr/bin", "/bin"]\n')
    ids = "".join(f"{sent.queue_id}\n" for sent in gone)
    run("postsuper", "-c", str(postfix.etc), "-d", "-", stdin=ids.encode())
    looked = Bmtop(postfix, None, "--config", str(settings))("purge", "--login", ALICE, "--dry-run", "--json")
    reads = (folder / "reads").read_text().count("\n")
    shutil.rmtree(folder)
    assert set(looked.json["selected"]) == {sent.queue_id for sent in stay}
    # postcat sleeps for a second, and ends, at each message that is gone.
    assert reads < 6

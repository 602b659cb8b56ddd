"""The people of a server: bmtop as users who are not root, each with their groups and sudo rules.

They see this machine with another /etc and /opt on top (mount_namespaces(7), overlayfs), which nobody else sees.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import bmtop
from tests.mailserver import Postfix

SUDOERS = Path(__file__).with_name("sudoers")
ADM = 4
# Name by user id, and the ids of their groups.
GROUPS = {7001: "helpdesk", 7002: "mailadmin", 7003: "nagios"}
USERS = {"helper": (7001, (7001,)), "boss": (7002, (7002,)), "nagios": (7003, (7003,)), "reader": (7004, (ADM,))}

SET_UP = """set -e
mount -t tmpfs none '{folder}/layers'
for place in etc opt; do
    layers='{folder}'/layers/$place
    mkdir -p $layers/upper $layers/work
    mount -t overlay overlay -o lowerdir=/$place,upperdir=$layers/upper,workdir=$layers/work /$place
done
mkdir -p /opt/bmtop/bin /etc/sudoers.d /etc/postfix
install -m 755 '{folder}/bmtop' /opt/bmtop/bin/bmtop
install -m 440 '{sudoers}' /etc/sudoers.d/bmtop
install -m 440 '{folder}/unasked' /etc/sudoers.d/unasked
install -m 644 '{folder}/bmtop.toml' /etc/bmtop.toml
cat '{folder}/passwd' >>/etc/passwd
cat '{folder}/group' >>/etc/group
cat '{folder}/shadow' >>/etc/shadow
mount --bind '{etc}' /etc/postfix
"""
# As pip writes it; sudo leaves nothing of PYTHONPATH.
BMTOP = "#!{python}\nimport sys\nsys.path[:0] = {path!r}\nfrom bmtop.cli import main\nsys.exit(main())\n"


class People:
    """Users on a server with this Postfix as its own, whose log may be read by group adm."""

    def __init__(self, folder: Path, postfix: Postfix) -> None:
        (folder / "layers").mkdir()
        source = str(Path(bmtop.__file__).parents[1])
        (folder / "bmtop").write_text(BMTOP.format(python=sys.executable, path=[source]))
        (folder / "unasked").write_text("Defaults !authenticate\n")
        (folder / "passwd").write_text("".join(f"{name}:x:{id}:{id}::/:/bin/sh\n" for name, (id, _) in USERS.items()))
        (folder / "shadow").write_text("".join(f"{name}:*:20000:0:99999:7:::\n" for name in USERS))
        (folder / "group").write_text("".join(f"{name}:x:{id}:\n" for id, name in GROUPS.items()))
        (folder / "bmtop.toml").write_text(f'log = "{postfix.log}"\nstate = "{postfix.folder}/state"\nwindow = "1h"\n')
        self._set_up = SET_UP.format(folder=folder, sudoers=SUDOERS, etc=postfix.etc)
        os.chown(postfix.log, 0, ADM)
        postfix.log.chmod(0o640)

    def command(self, user: str, *command: str) -> list[str]:
        """The command line for `command` as this user."""
        uid, groups = USERS[user]
        drop = ["setpriv", f"--reuid={uid}", f"--regid={groups[0]}", f"--groups={','.join(map(str, groups))}"]
        return ["unshare", "--mount", "sh", "-c", f'{self._set_up}exec "$@"', "sh", *drop, *command]

    def run(
        self, user: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run it to its end, nobody at a terminal."""
        return subprocess.run(
            self.command(user, *command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm-256color", **(environment or {})},
        )  # fmt: skip

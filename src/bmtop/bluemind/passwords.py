"""Passwords: one that is made, and what BlueMind would take for something else than a password."""

import re
import secrets
import string

from bmtop.checked import Refused

# Without the letters and digits that are mistaken for one another when read out on the telephone.
_UPPER = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_LOWER = "abcdefghijkmnopqrstuvwxyz"
_DIGITS = "23456789"

# BlueMind stores what looks like the hash of a password as that hash: nobody can log in with it any more,
# or whoever knows what it is the hash of can.
_HASH = re.compile(
    r"[0-9a-z]{32}"
    r"|(PBKDF2SHA256:)?[0-9]+:\S+:\S+"
    r"|\$2[a-z].*"
    r"|\$argon2.*"
    r"|\{S?SHA[0-9]*\}.*",
    re.ASCII,
)


class Password(str):
    """A password that BlueMind stores as it is. Anything else raises `Refused`. Its repr does not show it."""

    __slots__ = ()

    def __new__(cls, text: str) -> "Password":
        refuse_bad(text)
        return super().__new__(cls, text)

    def __repr__(self) -> str:
        return "Password(…)"


def make() -> Password:
    """Return a new password: four groups of four, such as `Kd7w-mQx3-Rv9t-Hn4p`, with some 90 bits of chance."""
    while True:
        signs = [secrets.choice(_UPPER + _LOWER + _DIGITS) for _ in range(16)]
        # Neither a shell, an option nor a spreadsheet makes anything of a word that begins with a letter.
        if signs[0].isalpha() and all(set(signs) & set(kind) for kind in (_UPPER, _LOWER, _DIGITS)):
            return Password("-".join("".join(signs[at : at + 4]) for at in range(0, 16, 4)))


def refuse_bad(password: str) -> None:
    """Raise `Refused`, which never quotes it, for a password that BlueMind would not take, or take for a hash.

    The rules on length and kinds are the defaults of BlueMind's plugin password-sizestrength, which does
    not see a password that an administrator sets.
    """
    if any(0xD800 <= ord(sign) <= 0xDFFF for sign in password):
        raise Refused("The password holds bytes that are no UTF-8; type another one.")
    if any(ord(sign) < 0x20 or 0x7F <= ord(sign) < 0xA0 or sign in "\u2028\u2029" for sign in password):
        raise Refused("The password holds a control character or a line break; type it without.")
    if password != password.strip():
        raise Refused("The password begins or ends with a space, which BlueMind may cut off; type it without.")
    if len(password) < 6:
        raise Refused("The password is shorter than 6 characters; take a longer one.")
    kinds = {
        "a capital": string.ascii_uppercase,
        "a small letter": string.ascii_lowercase,
        "a digit": string.digits,
        "a punctuation mark": string.punctuation,
    }
    missing = [kind for kind, signs in kinds.items() if not set(password) & set(signs)]
    if _HASH.fullmatch(password):
        raise Refused("The password looks like the hash of one, and BlueMind would store it as that; take another.")
    if missing:
        raise Refused(f"The password lacks {' and '.join(missing)}; add that.")

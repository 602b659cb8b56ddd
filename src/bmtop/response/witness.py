"""Postcat(1) as a second witness of who sent what is about to be deleted: its reading of queue files is not ours."""

from collections.abc import Sequence

from bmtop.checked import Refused
from bmtop.incident.message import Message
from bmtop.postfix.envelope import envelopes
from bmtop.postfix.instance import Postfix
from bmtop.response.messages import locate
from bmtop.response.plan import Progress
from bmtop.response.verify import file_is_still


def hear_postcat(postfix: Postfix, messages: Sequence[Message], progress: Progress) -> None:
    """Return where postcat says the same of all of them.

    Raises `Refused` where it does not, `CommandFailed` where it cannot be asked. What is another message by now is
    left to those who look at each file.
    """
    said = envelopes(postfix, [m.id for m in messages], lambda n, total: progress(n, total, "asking postcat"))
    other = [m for m in messages if m.id in said and said[m.id] != m.envelope]
    where = locate(postfix.queue_directory, [m.id for m in other])
    disputed = [m.id for m in other if m.id in where and file_is_still(m, where[m.id])]
    if disputed:
        raise Refused(
            f"Postcat says of {len(disputed):,} messages ({disputed[0]} is one) something else than bmtop about who"
            " sent them, so nothing was deleted. Please report it, with what `postcat -eq` says of that message."
        )

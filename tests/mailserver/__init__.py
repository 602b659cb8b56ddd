"""A real Postfix in a folder of its own on loopback, and an incident played on it. Plain Python, no pytest."""

from .player import BOUNCE, Client, FailedLogin, Message, Player, Refused, Sent, Session, played
from .postfix import Postfix, PostfixError, Queued, wait_until
from .stories import Played, incident

__all__ = [
    "BOUNCE",
    "Client",
    "FailedLogin",
    "Message",
    "Played",
    "Player",
    "Postfix",
    "PostfixError",
    "Queued",
    "Refused",
    "Sent",
    "Session",
    "incident",
    "played",
    "wait_until",
]

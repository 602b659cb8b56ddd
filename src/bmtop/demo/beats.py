"""The beats of the story: what each client does at its connection, and when. What comes of it, the server decides."""

from dataclasses import dataclass

from bmtop.demo.cast import Client


@dataclass(frozen=True, slots=True)
class Connect:
    """The client opens a connection."""


@dataclass(frozen=True, slots=True)
class Login:
    """It authenticates with this name and password."""

    login: str
    password: str
    method: str = "LOGIN"


@dataclass(frozen=True, slots=True)
class Send:
    """It hands in a message. `part` is what the message plays in the story, and stands in a header of it.

    With `as_login` it is sent only where the connection has logged in.
    """

    part: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    paragraphs: int
    as_login: bool = False


@dataclass(frozen=True, slots=True)
class OpenWebmail:
    """The one at this client logs in to the web mail."""

    login: str
    password: str


@dataclass(frozen=True, slots=True)
class Quit:
    """The client ends the connection."""


@dataclass(frozen=True, slots=True)
class Beat:
    """At `at` seconds after the start of the story (before it: negative), a client does something at a connection."""

    at: float
    connection: str
    client: Client
    act: Connect | Login | Send | OpenWebmail | Quit

"""Who takes part in the demo: the server, its people, the machines that send to it, and those it sends to.

All names and addresses are those set aside for examples (RFC 2606, RFC 5737, RFC 3849).
"""

from dataclasses import dataclass

HOST = "mail.example.com"
DOMAIN = "example.com"
DOMAIN_UID = "3f8e2c41.internal"
SERVER = "192.0.2.10"
SERVER_V6 = "2001:db8:25::10"
MYNETWORKS = "192.0.2.0/24, 127.0.0.0/8, 192.0.2.10"


@dataclass(frozen=True, slots=True)
class Client:
    """A machine that connects: its name (`unknown` where DNS has none), address, and HELO. `tls`: it encrypts."""

    name: str
    address: str
    helo: str
    tls: bool = False

    @property
    def shown(self) -> str:
        """The client as the log names it."""
        return f"{self.name}[{self.address}]"


@dataclass(frozen=True, slots=True)
class Person:
    """One of our accounts: its login, password, the machine it writes from, and whom it writes to."""

    login: str
    password: str
    client: Client
    domains: tuple[str, ...]


def _office(number: int) -> Client:
    return Client(f"pc{number}.example.com", f"192.0.2.{number}", f"pc{number}.example.com", tls=True)


SALES = Person("sales@example.com", "Summer2019", _office(131), ("customer.example", "partner.example"))
EVENTS = Person("events@example.com", "events123", _office(134), ("partner.example", "school.example"))
SUPPORT = Person("support@example.com", "Vq7.rain-Lamp", _office(132), ("customer.example", "grey.example"))
OFFICE = Person(
    "office@example.com", "9tulips+Bread", _office(133),
    ("supplier.example", "city.example", "customer.example", "offline.example"),
)  # fmt: skip
_AT_HOME = Client("dsl-21.access.example", "198.51.100.121", "[198.51.100.121]", tls=True)
PRESS = Person(
    "press@example.com", "Ink&paper77", _AT_HOME,
    ("partner.example", "letters.example", "school.example", "full.example"),
)  # fmt: skip
ACCOUNTING = Person("accounting@example.com", "Ledger#2040", _office(135), ("supplier.example", "city.example"))
COLLEAGUES = (SALES, SUPPORT, OFFICE, PRESS, EVENTS, ACCOUNTING)
# accounting's password is kept in a directory elsewhere: BlueMind cannot change it.
IN_DIRECTORY = ACCOUNTING.login
ALIASES = {SALES.login: ("orders@example.com",), OFFICE.login: ("info@example.com",)}

# The stolen login: guessed from the first of these, then used from both.
THIEF = Client("unknown", "203.0.113.57", "WIN-4K2J8")
THIEF_V6 = Client("unknown", "2001:db8:4b1d::25", "[IPv6:2001:db8:4b1d::25]")
SECOND_THIEF = Client("static-140.hosting.example", "203.0.113.140", "smtp-out")
GUESSERS = (
    Client("unknown", "203.0.113.201", "User"),
    Client("unknown", "203.0.113.88", "ylmf-pc"),
    Client("scan-7.hosting.example", "203.0.113.7", "[203.0.113.7]"),
)
PROBER = Client("unknown", "203.0.113.222", "win-probe")

# Trusted because they are in mynetworks: neither logs in.
ERP = Client("erp.example.com", "192.0.2.20", "erp.example.com")
WEBSITE = Client("www.example.com", "192.0.2.80", "www.example.com")

STRANGERS = (
    Client("mx1.customer.example", "198.51.100.11", "mx1.customer.example"),
    Client("out.partner.example", "198.51.100.12", "out.partner.example"),
    Client("mail.supplier.example", "198.51.100.13", "mail.supplier.example"),
    Client("smtp.city.example", "198.51.100.14", "smtp.city.example"),
    Client("mail-ej1.freemail.example", "198.51.100.27", "mail-ej1.freemail.example"),
    Client("out6.letters.example", "2001:db8:77::26", "out6.letters.example"),
)

GUESSED_NAMES = (
    "admin@example.com", "info@example.com", "test@example.com", "sales@example.com", "contact@example.com",
    "scanner@example.com", "office@example.com", "postmaster@example.com",
)  # fmt: skip
FORGED_SENDERS = (
    "security@bank.example", "no-reply@parcel.example", "billing@streaming.example", "invoice@energy.example",
    "helpdesk@bank.example", "delivery@parcel.example", "winner@lottery.example", "[b]claim[/b]@lottery.example",
    "refund@tax-office.example", "support@wallet.example",
)  # fmt: skip
SPAM_SUBJECTS = (
    "Your parcel is waiting: confirm the fee", "Unusual sign-in to your account", "Your invoice is overdue",
    "You have been selected", "Action needed: verify your mailbox", "Refund of 312.50 approved",
)  # fmt: skip
HONEST_SUBJECTS = (
    "Offer for next week", "Re: delivery dates", "Minutes of the meeting", "Question about the order",
    "Documents for signature", "Re: Re: room for Thursday", "Price list", "Re: ticket update",
)  # fmt: skip

"""Containment on real parts: a Postfix, a saslauthd that remembers passwords, a Dovecot, and bots that go on."""

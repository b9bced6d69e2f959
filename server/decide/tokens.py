"""Which tokens may be made and revoked."""

import re
from collections.abc import Iterable

from guessbook.proto.events_pb2 import Event, Role, TokenCreated, TokenRevoked
from guessbook.server.decide.rejection import Invalid, Missing, Refused
from guessbook.server.tokens import ROLES, Token

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
RESERVED = "server"  # the actor of what the server does by itself


def create(known: Iterable[Token], name: str, role: "Role.ValueType") -> Event:
    """A name can be used again once its token was revoked: that is how a token is renewed."""
    if not NAME.fullmatch(name) or name == RESERVED:
        raise Invalid(
            f"{name!r} can't be a token's name",
            "Take letters, digits and . _ @ -, at most 64 of them; the log calls whoever uses it so.",
        )
    if role not in ROLES.values():
        raise Invalid("a token needs a role", f"One of {', '.join(ROLES)}.")
    if name in ROLES and ROLES[name] != role:
        raise Invalid(f"the token {name} has the role {name}", "Take another name.")
    if any(token.name == name and not token.revoked_us for token in known):
        raise Refused(f"there is a token {name} already", "Revoke it first, or take another name.")
    return Event(subject=f"token/{name}", token_created=TokenCreated(name=name, role=role))


def revoke(known: Iterable[Token], name: str) -> Event:
    """The last admin's token stays: nobody could make another one."""
    valid = {token.name: token for token in known if not token.revoked_us}
    token = valid.get(name)
    if token is None:
        raise Missing(f"there is no valid token {name}", "`guessbook token list` lists them.")
    if token.role == "admin" and [one.role for one in valid.values()].count("admin") == 1:
        raise Refused(
            f"{name} is the last admin's token", "Make another one first: guessbook token create NAME --role admin"
        )
    return Event(subject=f"token/{name}", token_revoked=TokenRevoked(name=name, role=ROLES[token.role]))

"""Who asks, and what may they do?

A `Caller` is what a request's key or token allows: actions, index patterns and, for a tenant
token, a filter that is forced upon every search of an index.

    caller = Caller(actions=("search",), indexes=("shop-*",))
    caller.may("search"), caller.sees("shop-eu"), caller.sees("other")    # True, True, False
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from hybridsearch.server.key_store import Key, Keys
from hybridsearch.server.wire import Refused

EVERYTHING = ("*",)
ALGORITHMS = ["HS256", "HS384", "HS512"]
UNCHECKED: Any = {
    "verify_aud": False,
    "verify_iss": False,
    "verify_iat": False,
    "verify_exp": False,
}

Rules = Mapping[str, Mapping[str, Any] | None]
WRONG_KEY = "The provided API key is invalid."


@dataclass(frozen=True)
class Caller:
    """What a request may do.

    actions: as in the contract, with "*", "documents.*" and "*.get". indexes: patterns of names.
    rules: index pattern -> what a tenant token forces there ({"filter": ...}, or nothing); None
    when the caller is no tenant.
    """

    actions: Sequence[str] = EVERYTHING
    indexes: Sequence[str] = EVERYTHING
    rules: Rules | None = None

    def may(self, action: str) -> bool:
        """Whether the action is allowed at all, on whatever index."""
        subject, _, verb = action.partition(".")
        return not {"*", action, f"{subject}.*", f"*.{verb}"}.isdisjoint(self.actions)

    def sees(self, uid: str) -> bool:
        """Whether an index of this name exists for the caller."""
        if not any(matches(pattern, uid) for pattern in self.indexes):
            return False
        return self.rules is None or any(matches(pattern, uid) for pattern in self.rules)

    def forced_filter(self, uid: str) -> Any:
        """The filter that must hold for everything the caller sees of an index; None for no limit.

        The rule whose pattern is the longest decides, an exact name before all. Raises Refused for
        an index that the caller does not see.
        """
        if self.rules is None:
            return None
        fitting = [pattern for pattern in self.rules if matches(pattern, uid)]
        if not fitting:
            raise Refused(WRONG_KEY, code="invalid_api_key")
        nearest = max(fitting, key=lambda pattern: (pattern == uid, len(pattern)))
        return (self.rules[nearest] or {}).get("filter")


def matches(pattern: str, uid: str) -> bool:
    """Whether an index name fits a pattern: itself, or a beginning with * at its end.

    >>> matches("shop-*", "shop-eu"), matches("shop", "shop-eu")
    (True, False)
    """
    if pattern.endswith("*"):
        return uid.startswith(pattern[:-1])
    return uid == pattern


class Guard:
    """Knows who may do what; without a master key everybody may do everything."""

    def __init__(self, master_key: str | None, keys: Keys | None) -> None:
        self._master = master_key
        self._keys = keys

    def caller(self, authorization: str | None, action: str, *, tenants: bool) -> Caller:
        """Who sends this header, when they may do the action.

        tenants: whether a tenant token may do it. Raises Refused: missing_authorization_header
        without a key, invalid_api_key otherwise.
        """
        if self._master is None or self._keys is None or not action:
            return Caller()
        token = bearer(authorization)
        if hmac.compare_digest(token.encode(), self._master.encode()):
            return Caller()
        key = self._keys.with_value(token)
        if key is not None:
            return _allowed(key, action, None)
        if tenants:
            return self._tenant(self._keys, token, action)
        raise Refused(WRONG_KEY, code="invalid_api_key")

    def _tenant(self, keys: Keys, token: str, action: str) -> Caller:
        """Who sends this tenant token: what its key allows, within its rules."""
        try:
            claimed = jwt.decode(token, options={"verify_signature": False})
            key = keys.with_uid(str(claimed.get("apiKeyUid")))
            if key is None:
                raise Refused(WRONG_KEY, code="invalid_api_key")
            known = jwt.decode(token, keys.value(key), algorithms=ALGORITHMS, options=UNCHECKED)
        except jwt.PyJWTError:
            raise Refused(WRONG_KEY, code="invalid_api_key") from None
        _check_time(known.get("exp"))
        return _allowed(key, action, _rules(known.get("searchRules")))


def _allowed(key: Key, action: str, rules: Rules | None) -> Caller:
    caller = Caller(key.actions, key.indexes, rules)
    if key.expired or not caller.may(action):
        raise Refused(WRONG_KEY, code="invalid_api_key")
    return caller


def _check_time(end: Any) -> None:
    """Raise Refused when a token has ended; null, which the official clients send, is no end."""
    if end is None:
        return
    if isinstance(end, bool) or not isinstance(end, int | float):
        raise Refused("The tenant token's `exp` is not a number.", code="invalid_api_key")
    now = int(time.time())
    if not end > now:
        raise Refused(
            f"Tenant token expired. Was valid up to `{end}` and we're now `{now}`.",
            code="invalid_api_key",
        )


def _rules(given: Any) -> Rules:
    """index pattern -> what is forced there, of a token's searchRules. Raises Refused."""
    if isinstance(given, list) and all(isinstance(pattern, str) for pattern in given):
        return dict.fromkeys(given)
    if isinstance(given, dict) and all(_is_rule(rule) for rule in given.values()):
        return given
    raise Refused(WRONG_KEY, code="invalid_api_key")


def _is_rule(rule: Any) -> bool:
    """Whether it says only what can be forced: a rule that is not understood must not pass."""
    if rule is None:
        return True
    if not isinstance(rule, dict) or not set(rule) <= {"filter"}:
        return False
    return isinstance(rule.get("filter"), str | list | None)


def bearer(authorization: str | None) -> str:
    """The key in an Authorization header. Raises Refused when there is none.

    Log senders made for Elasticsearch know only ApiKey, or Basic, where the key is the password.

    >>> bearer("Bearer abc"), bearer("ApiKey abc"), bearer("Basic bWU6YWJj")
    ('abc', 'abc', 'abc')
    """
    scheme, _, token = (authorization or "").strip().partition(" ")
    key = SCHEMES[scheme.lower()](token.strip()) if scheme.lower() in SCHEMES else ""
    if not key:
        raise Refused(
            "The Authorization header is missing. It must use the bearer authorization method.",
            code="missing_authorization_header",
        )
    return key


def _password(token: str) -> str:
    """The password in what Basic sends; "" where there is none."""
    try:
        return base64.b64decode(token, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


SCHEMES: Mapping[str, Callable[[str], str]] = {"bearer": str, "apikey": str, "basic": _password}

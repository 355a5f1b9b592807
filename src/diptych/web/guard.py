"""What stands before every page: which hosts may be asked for, who may come in, who may change something, how much.

A page on loopback is open to every other page in the same browser, and to names that resolve to 127.0.0.1 only for a
moment (DNS rebinding). So the name that was asked for is checked, whatever changes something needs a header that other
origins cannot send unasked, and answers may load nothing from elsewhere. One ASGI layer that never touches what flows
through it, so that ranges of videos and streams of events stay what they are.
"""

from __future__ import annotations

import hmac
import html
import ipaddress
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHANGE_HEADER = "x-diptych"
"""A request that changes something carries this header, with any value: no form and no foreign page can add it."""

TOKEN = "token"
"""The word of a link's query that lets in; afterwards a cookie does."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Of every answer. Beside these, what says nothing of caching may not be cached."""

_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True)
class House:
    """Where pages are served and what opens the door.

    Attributes:
        host: name or address that is bound.
        port: likewise.
        token: that every request needs, in the link or as a cookie; None where the pages ask for none.
        body_limit: most bytes of a request's body.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    body_limit: int = 1 << 20

    @property
    def hosts(self) -> Collection[str] | None:
        """Names that may be asked for, without a port; None where all may, as the house stands on every address."""
        if self.host in ("0.0.0.0", "::", ""):
            return None
        return {*LOOPBACK, bracketed(self.host).lower()}

    @property
    def cookie(self) -> str:
        """Browsers keep one jar for all ports of a host, so the port is part of the name."""
        return f"diptych_{self.port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or a name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def bracketed(host: str) -> str:
    """A host as links write it: IPv6 addresses stand in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def new_token() -> str:
    """256 bits that nobody guesses, fit for a link."""
    return secrets.token_urlsafe(32)


def same(given: str, right: str) -> bool:
    """Whether two secrets are one, in a time that does not tell how much of them is."""
    return hmac.compare_digest(given.encode(), right.encode())


class Guard:
    """The one layer around the pages."""

    def __init__(self, app: ASGIApp, house: House) -> None:
        self._app, self._house = app, house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request at the door, or lets it through."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # nothing here speaks WebSocket
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._refusal(scope, headers) or self._entrance(scope, headers)
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
        else:
            await self._app(scope, _bounded(receive, self._house.body_limit), _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> PlainTextResponse | None:
        host = headers.get("host", "").lower()
        if self._house.hosts is not None and _without_port(host) not in self._house.hosts:
            return PlainTextResponse("This page is not served under that name.", 421)
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > self._house.body_limit:
            return PlainTextResponse(f"No more than {self._house.body_limit} bytes at once.", 413)
        if scope["method"] in _SAFE:
            return None
        foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        origin = headers.get("origin")
        if CHANGE_HEADER not in headers or foreign or (origin is not None and urlsplit(origin).netloc.lower() != host):
            return PlainTextResponse("Only the page itself may change something.", 403)
        return None

    def _entrance(self, scope: Scope, headers: dict[str, str]) -> HTMLResponse | PlainTextResponse | None:
        """None for whoever may come in; otherwise the door."""
        right = self._house.token
        if right is None or same(_cookie(headers.get("cookie", ""), self._house.cookie), right):
            return None
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        given = [value for word, value in query if word == TOKEN]
        if scope["method"] != "GET" or not any(same(token, right) for token in given):
            return PlainTextResponse("Open the link that was printed when this page was started.", 401)
        rest = urlencode([(word, value) for word, value in query if word != TOKEN])
        return _let_in(self._house, quote(scope["path"]) + (f"?{rest}" if rest else ""))


def _let_in(house: House, target: str) -> HTMLResponse:
    """Trades the link's token for a cookie.

    The page goes on by itself instead of being redirected: after a redirect the browser still counts a link that was
    opened from a mail as coming from there, and holds a strict cookie back.
    """
    # "//name" would lead to another host.
    target = "/" + target.lstrip("/\\")
    page = HTMLResponse(
        "<!doctype html><meta charset=utf-8><title>Diptych</title>"
        f'<meta http-equiv=refresh content="0;url={html.escape(target)}">'
    )
    page.set_cookie(house.cookie, house.token or "", httponly=True, samesite="strict", path="/")
    return page


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own: list[tuple[bytes, bytes]] = list(message.get("headers", []))
            names = {name.lower() for name, _ in own}
            more = [*HEADERS.items(), ("cache-control", "no-store")]
            own += [(name.encode(), value.encode()) for name, value in more if name.encode() not in names]
            message["headers"] = own
        await send(message)

    return sending


def _bounded(receive: Receive, limit: int) -> Receive:
    """Bodies sent in pieces have no length to refuse by; their sender is taken for gone once it has sent too much."""
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= limit else {"type": "http.disconnect"}

    return receiving


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def links(house: House, paths: Iterable[str]) -> list[str]:
    """Addresses to print: of every path, with the token where one is needed."""
    host = "127.0.0.1" if house.hosts is None else bracketed(house.host)
    query = f"?{urlencode({TOKEN: house.token})}" if house.token else ""
    return [f"http://{host}:{house.port}{path}{query}" for path in paths]

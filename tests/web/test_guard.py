"""The guard before all pages, over real HTTP: who may come in, who may change something, what every answer says."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from diptych.web.guard import HEADERS, House, is_loopback, links, new_token, same
from pages_served import Served, served

TOKEN = "a-token-of-the-tests"


async def _echo(request: Request) -> PlainTextResponse:
    body = await request.body()
    return PlainTextResponse(f"{request.method} {request.url.path}?{request.url.query} {len(body)}")


APP = Starlette(routes=[Route("/{rest:path}", _echo, methods=["GET", "POST", "PUT", "DELETE"])])


@pytest.fixture(scope="module")
def open_house() -> Iterator[Served]:
    with served(APP, body_limit=1000) as pages:
        yield pages


@pytest.fixture(scope="module")
def locked_house() -> Iterator[Served]:
    with served(APP, token=TOKEN) as pages:
        yield pages


def test_every_answer_carries_the_headers(open_house: Served) -> None:
    for answer in (open_house.get("/a"), open_house.ask("POST", "/a", b"", {})):
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "", "a@127.0.0.1"])
def test_other_names_are_refused(open_house: Served, host: str) -> None:
    assert open_house.get("/", host=host.format(port=open_house.port)).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}", "[::1]"])
def test_names_of_this_machine_are_served(open_house: Served, host: str) -> None:
    assert open_house.get("/", host=host.format(port=open_house.port)).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x_diptych": "1"}, 200),
        ({"x_diptych": "1", "origin": "http://127.0.0.1:{port}"}, 200),
        ({"x_diptych": "1", "sec_fetch_site": "same-origin"}, 200),
        ({}, 403),
        ({"origin": "http://127.0.0.1:{port}"}, 403),
        ({"x_diptych": "1", "origin": "http://evil.example"}, 403),
        ({"x_diptych": "1", "origin": "null"}, 403),
        ({"x_diptych": "1", "origin": "http://127.0.0.1:1"}, 403),
        ({"x_diptych": "1", "sec_fetch_site": "cross-site"}, 403),
        ({"x_diptych": "1", "sec_fetch_site": "same-site"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_the_page_itself_changes_something(
    open_house: Served, method: str, headers: dict[str, str], status: int
) -> None:
    own = {name: value.format(port=open_house.port) for name, value in headers.items()}
    assert open_house.ask(method, "/", b"x", own).status == status


def test_no_answer_invites_other_origins(open_house: Served) -> None:
    asked = open_house.ask("OPTIONS", "/", None, {"origin": "http://evil.example"})
    assert not [name for name in asked.headers if name.startswith("access-control")]


def test_bodies_are_bounded(open_house: Served) -> None:
    assert open_house.ask("POST", "/", b"x" * 1000, {"x_diptych": "1"}).body.endswith(b" 1000")
    assert open_house.ask("POST", "/", b"x" * 1001, {"x_diptych": "1"}).status == 413


def test_bodies_without_a_length_are_bounded(open_house: Served) -> None:
    with socket.create_connection(("127.0.0.1", open_house.port), timeout=10) as line:
        line.sendall(
            b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Diptych: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"400\r\n%s\r\n0\r\n\r\n" % (b"x" * 1024)
        )
        assert b" 200 " not in line.recv(200)


def test_a_token_becomes_a_cookie_and_leaves_the_link(locked_house: Served) -> None:
    assert locked_house.get("/page").status == 401
    assert locked_house.get("/page?token=wrong").status == 401
    assert locked_house.post(f"/page?token={TOKEN}", {}).status == 401
    entered = locked_house.get(f"/page?a=1&token={TOKEN}&b=2")
    assert entered.status == 200
    assert b"url=/page?a=1&amp;b=2" in entered.body
    cookie = entered.headers["set-cookie"]
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    jar = cookie.partition(";")[0]
    assert jar.startswith(f"diptych_{locked_house.port}=")
    assert locked_house.get("/page", cookie=jar).body == b"GET /page? 0"
    assert locked_house.post("/page", {}, cookie=jar).status == 200
    assert locked_house.get("/page", cookie=jar + "x").status == 401
    assert locked_house.get("/page", cookie="\x01;;=").status == 401


def test_the_door_leads_nowhere_else(locked_house: Served) -> None:
    for path in ("//evil.example/", "/%2F%2Fevil.example", "/\\evil.example", '/"><script>'):
        body = locked_house.get(f"{path}?token={TOKEN}").body.decode()
        target = body.partition("url=")[2].partition('"')[0]
        assert target.startswith("/")
        assert not target.startswith(("//", "/\\"))
        assert "<script>" not in body


def test_links() -> None:
    assert links(House(port=5), ["/a"]) == ["http://127.0.0.1:5/a"]
    assert links(House("::1", 5, "t t"), ["/"]) == ["http://[::1]:5/?token=t+t"]
    assert links(House("0.0.0.0", 5), ["/"]) == ["http://127.0.0.1:5/"]
    assert House("0.0.0.0").hosts is None
    assert "box" in (House("Box").hosts or ())


def test_tokens_and_addresses() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert same("a", "a")
    assert not same("a", "ä")
    assert [is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")] == [True] * 5
    assert [is_loopback(h) for h in ("0.0.0.0", "::", "10.0.0.1", "box")] == [False] * 4

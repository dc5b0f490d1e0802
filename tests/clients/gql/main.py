"""gql for Python, over HTTP and over a WebSocket.

The client reads the schema by introspection and validates every document before it is sent.

CLOAKROOM_URL is the endpoint (http://127.0.0.1:8000/graphql).
"""

import asyncio
import os
import secrets
from pathlib import Path

from gql import Client, FileVar, GraphQLRequest, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.aiohttp_websockets import AIOHTTPWebsocketsTransport
from gql.transport.exceptions import TransportConnectionFailed, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import GraphQLError

URL = os.environ.get("CLOAKROOM_URL", "http://127.0.0.1:8000/graphql")
SOCKET_URL = URL.replace("http", "ws", 1)
PASSWORD = "correct horse battery"
PICTURE = Path(__file__).parents[3] / "playground" / "screenshot.png"

HELLO = gql("query Hello { hello server { time errorCodes } }")
SIGN_UP = gql(
    """
    mutation SignUp($input: SignUpInput!) {
      signUp(input: $input) { user { id username } userErrors { code field } }
    }
    """
)
LOGIN = gql(
    "mutation Login($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { code } } }"
)
NEXT = gql("mutation Next($input: NextInput) { next(input: $input) { value counter { id current } } }")
CREATE = gql("mutation Create($input: CreateCounterInput!) { createCounter(input: $input) { userErrors { code } } }")
COUNTERS = gql(
    """
    query Counters($first: Int!, $after: String) {
      viewer {
        counters(first: $first, after: $after) {
          nodes { name current }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
    """
)
WATCH = gql("subscription Watch { counter { id current } }")
UPLOAD = gql(
    """
    mutation Upload($input: UploadPhotosInput!) {
      uploadPhotos(input: $input) { photos { state image(size: SMALL) { url width } } userErrors { code field } }
    }
    """
)
WRONG = gql("query Wrong { nothing }")

# A slow machine must not fail.
PATIENCE = {"connect_timeout": 300, "ack_timeout": 300}

# Each transport as its documentation shows it.
HTTP = {
    "AIOHTTPTransport": lambda headers: AIOHTTPTransport(url=URL, headers=headers, timeout=300),
    "HTTPXAsyncTransport": lambda headers: HTTPXAsyncTransport(url=URL, headers=headers, timeout=300),
}
SOCKETS = {
    "AIOHTTPWebsocketsTransport": lambda payload: AIOHTTPWebsocketsTransport(
        url=SOCKET_URL, init_payload=payload, **PATIENCE
    ),
    # This transport looks for the response header `Sec-WebSocket-Protocol` in this spelling only, although names of
    # headers have no case. Without it, the transport speaks the older protocol, unless it is not offered.
    "WebsocketsTransport": lambda payload: WebsocketsTransport(
        url=SOCKET_URL, init_payload=payload, subprotocols=[WebsocketsTransport.GRAPHQLWS_SUBPROTOCOL], **PATIENCE
    ),
}


def connect(transport):
    return Client(transport=transport, fetch_schema_from_transport=True, execute_timeout=300)


def authorization(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what or 'the answer'}: got {got!r}, expected {expected!r}")


async def run(session, document, upload_files=False, **variables):
    # Only the transports over HTTP have the option.
    options = {"upload_files": True} if upload_files else {}
    return await session.execute(GraphQLRequest(document.document, variable_values=variables), **options)


async def expect_code(session, code, document, **variables):
    try:
        answer = await run(session, document, **variables)
    except TransportQueryError as error:
        equal(error.errors[0]["extensions"]["code"], code)
    else:
        raise AssertionError(f"no {code}: {answer}")


async def sign_in(open_transport):
    """Returns an access token of a new user."""
    username = f"gql-{secrets.token_hex(6)}"
    async with connect(open_transport(authorization(None))) as session:
        hello = await run(session, HELLO)
        assert "UNAUTHENTICATED" in hello["server"]["errorCodes"], hello
        new = {"username": username, "password": PASSWORD}
        signed_up = (await run(session, SIGN_UP, input=new))["signUp"]
        equal([signed_up["user"]["username"], signed_up["userErrors"]], [username, []])
        taken = (await run(session, SIGN_UP, input=new))["signUp"]
        equal([taken["user"], taken["userErrors"][0]["code"]], [None, "TAKEN"])
        await expect_code(session, "UNAUTHENTICATED", NEXT)
        login = await run(session, LOGIN, input={"identifier": username, "password": PASSWORD})
        return login["login"]["tokens"]["accessToken"]


async def use_counters(session):
    """Numbers, errors and pages. The last number is 5."""
    equal((await run(session, NEXT))["next"]["value"], 1)
    equal((await run(session, NEXT, input={"count": 4}))["next"]["counter"]["current"], 5)
    await expect_code(session, "NOT_FOUND", NEXT, input={"counter": "none"})
    for name in ["a", "b", "c"]:
        equal((await run(session, CREATE, input={"name": name}))["createCounter"], {"userErrors": []})

    pages, after = [], None
    while True:
        page = (await run(session, COUNTERS, first=2, after=after))["viewer"]["counters"]
        pages.append([node["name"] for node in page["nodes"]])
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    equal(pages, [["a", "b"], ["c", "default"]])

    # The client refuses it, and sends nothing.
    try:
        await run(session, WRONG)
    except GraphQLError as error:
        assert "Cannot query field 'nothing'" in error.message, error
    else:
        raise AssertionError("the client has no schema")


async def watch(session):
    seen = []
    async for event in session.subscribe(WATCH):
        seen.append(event["counter"]["current"])
        if len(seen) == 3:
            break
        # Over the same socket.
        await run(session, NEXT)
    equal(seen, [5, 6, 7])


async def check_http(name):
    token = await sign_in(HTTP[name])
    async with connect(HTTP[name](authorization(token))) as session:
        await use_counters(session)
        file = FileVar(str(PICTURE), content_type="image/png")
        uploaded = (await run(session, UPLOAD, upload_files=True, input={"photos": [{"file": file}]}))["uploadPhotos"]
        equal([uploaded["userErrors"], uploaded["photos"][0]["image"]["width"]], [[], 320])


async def check_socket(name):
    token = await sign_in(SOCKETS[name])
    async with connect(SOCKETS[name](authorization(token))) as session:
        await use_counters(session)
        await watch(session)


async def check_older_protocol():
    """Shows that `subprotocols` is needed. If it is not any more, remove it here and in the README."""
    try:
        async with connect(WebsocketsTransport(url=SOCKET_URL, **PATIENCE)) as session:
            await run(session, HELLO)
    except TransportConnectionFailed as error:
        closed = error.__cause__.rcvd
        equal(closed.code, 4400)
        assert "use graphql-transport-ws" in closed.reason, closed
    else:
        raise AssertionError("WebsocketsTransport works without `subprotocols`")


async def main():
    for checks, check in [(HTTP, check_http), (SOCKETS, check_socket)]:
        for name in checks:
            await check(name)
            print(f"gql, {name}: works")
    await check_older_protocol()


asyncio.run(main())

"""The client that ariadne-codegen generates from schema.graphql and queries.graphql: methods and models with types.

CLOAKROOM_URL is the endpoint (http://127.0.0.1:8000/graphql).
"""

import asyncio
import os
import secrets
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
from generated.cloakroom import (
    Cloakroom,
    CreateApiKeyInput,
    CreateCounterInput,
    ErrorCode,
    GraphQLClientGraphQLMultiError,
    LoginInput,
    NewPhoto,
    NextInput,
    PhotoState,
    RestoreAccountByCredentialsInput,
    RestoreAccountInput,
    Scope,
    SignUpInput,
    Upload,
    UploadPhotosInput,
    UserErrorCode,
)
from generated.cloakroom.nodes import NodesNodesCounter

URL = os.environ.get("CLOAKROOM_URL", "http://127.0.0.1:8000/graphql")
PASSWORD = "correct horse battery"
PICTURE = Path(__file__).parents[3] / "playground" / "screenshot.png"


def connect(token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # A slow machine must not fail.
    http = httpx.AsyncClient(headers=headers, timeout=300)
    return Cloakroom(URL, http_client=http, ws_url=URL.replace("http", "ws", 1), ws_connection_init_payload=headers)


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r}, expected {expected!r}")


async def expect_code(code, call):
    try:
        answer = await call
    except GraphQLClientGraphQLMultiError as error:
        equal([error.extensions["code"] for error in error.errors], [code.value])
    else:
        raise AssertionError(f"no {code}: {answer}")


async def sign_in(username):
    async with connect() as anonymous:
        answer = await anonymous.server()
        assert ErrorCode.UNAUTHENTICATED in answer.server.error_codes, answer
        assert answer.server.time.tzinfo, "a DateTime is a moment"

        new = SignUpInput(username=username, password=PASSWORD)
        signed_up = (await anonymous.sign_up(new)).sign_up
        equal([signed_up.user.username, signed_up.user_errors], [username, []])
        again = (await anonymous.sign_up(new)).sign_up
        equal([error.code for error in again.user_errors], [UserErrorCode.TAKEN])
        await expect_code(ErrorCode.UNAUTHENTICATED, anonymous.take_next())

        # Exactly one of the two fields of a @oneOf input is sent.
        credentials = RestoreAccountByCredentialsInput(identifier=username, password=PASSWORD)
        restored = (await anonymous.restore_account(RestoreAccountInput(credentials=credentials))).restore_account
        equal([error.code for error in restored.user_errors], [UserErrorCode.WRONG_CREDENTIALS])

        login = (await anonymous.login(LoginInput(identifier=username, password=PASSWORD))).login
        return login.tokens.access_token


async def use_counters(client):
    """Numbers, errors, pages and a node. The last number is 5."""
    equal((await client.take_next()).next.value, 1)
    taken = (await client.take_next(NextInput(count=4))).next
    equal([taken.value, taken.counter.current], [5, 5])
    await expect_code(ErrorCode.NOT_FOUND, client.take_next(NextInput(counter="none")))
    for name in ["a", "b", "c"]:
        equal((await client.create_counter(CreateCounterInput(name=name))).create_counter.user_errors, [])

    pages, after = [], None
    while True:
        page = (await client.counters(first=2, after=after)).viewer.counters
        pages.append([counter.name for counter in page.nodes])
        if not page.page_info.has_next_page:
            break
        after = page.page_info.end_cursor
    equal(pages, [["a", "b"], ["c", "default"]])

    [node] = (await client.nodes(ids=[page.nodes[1].id])).nodes
    assert isinstance(node, NodesNodesCounter), node
    equal([node.name, node.current], ["default", 5])


async def watch(client):
    seen = []
    async for event in client.watch(name="default", open_timeout=300):
        seen.append(event.counter.current)
        if len(seen) == 3:
            break
        await client.take_next()
    equal(seen, [5, 6, 7])


async def send_scalars(client):
    """A DateTime and an Upload in the input."""
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    new_key = CreateApiKeyInput(name="cash desk", password=PASSWORD, scopes=[Scope.COUNTERS_NEXT], expires_at=tomorrow)
    created = (await client.create_api_key(new_key)).create_api_key
    equal(created.user_errors, [])
    assert abs(created.api_key.expires_at - tomorrow) < timedelta(seconds=1), created

    with PICTURE.open("rb") as content:
        file = Upload(filename="screenshot.png", content=content, content_type="image/png")
        uploaded = (await client.upload_photos(UploadPhotosInput(photos=[NewPhoto(file=file)]))).upload_photos
    equal(uploaded.user_errors, [])
    equal([uploaded.photos[0].state, uploaded.photos[0].image.width], [PhotoState.DRAFT, 320])


async def main():
    token = await sign_in(f"ariadne-{secrets.token_hex(6)}")
    async with connect(token) as client:
        await use_counters(client)
        await watch(client)
        await send_scalars(client)
    print("ariadne-codegen: the generated client works")


asyncio.run(main())

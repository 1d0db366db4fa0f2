"""The same refusals over a real socket, where bodies really stream and connections really close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter
from navette_chassis import http_edge
from navette_chassis.auth import public
from navette_chassis.http import ApiModel
from navette_chassis.testing import until


class Note(ApiModel):
    text: str


@pytest.fixture
async def port(client_of: Any) -> AsyncIterator[int]:
    router = APIRouter(dependencies=[public()])

    @router.post("/notes")
    async def take(body: Note) -> int:
        return len(body.text)

    async with client_of(router) as client:
        config = uvicorn.Config(client.app, port=0, log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        server.capture_signals = nullcontext  # type: ignore[method-assign]  # pytest keeps its signals
        task = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
        server.should_exit = True
        await task


async def test_an_endless_chunked_body_is_answered_and_cut_at_the_limit(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /notes HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    # In one piece: what arrives after the server closed would reset the connection under its answer.
    writer.write(head + b"".join([b"64\r\n" + b"x" * 100 + b"\r\n"] * 12))
    await writer.drain()
    async with asyncio.timeout(60):
        answer = await reader.read()  # to the end: the server closes, although we never finished
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in answer


async def test_a_body_that_ends_within_the_limit_passes(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.post("/notes", json={"text": "bonjour"})).json() == 7
        assert (await client.post("/notes", json={"text": "x" * 2000})).status_code == 413
        assert (await client.get("/livez")).headers["x-content-type-options"] == "nosniff"


async def test_a_body_that_never_comes_does_not_hold_the_server(port, monkeypatch):
    monkeypatch.setattr(http_edge, "BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /notes HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{")
    async with asyncio.timeout(60):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_an_invented_method_is_refused(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.request("DUPONT", "/notes")).status_code == 405

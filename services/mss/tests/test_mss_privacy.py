"""Who may see where mails stand, and what nobody may see."""

from __future__ import annotations

import signal
import subprocess
import time
import uuid
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey
from navette_chassis import SystemClock
from navette_chassis.auth.jwks import JwksCache
from navette_chassis.auth.tokens import TokenVerifier
from navette_chassis.testing import running


async def test_operators_and_services_may_see_where_mails_stand_and_nobody_else(world: Any) -> None:
    event = world.composed(audience=["professionals", "patient"])
    service = world.service()
    key = ECKey.generate_key("P-256", {"kid": "test", "alg": "ES256"})

    async def keys() -> Any:
        return {"keys": [key.as_dict(private=False)]}

    def bearer(**claims: Any) -> dict[str, str]:
        now = int(time.time())
        base = {"iss": "navette-psc-auth", "aud": "mss", "sub": "u-1", "kind": "user", "iat": now, "exp": now + 100}
        base |= {"jti": uuid.uuid4().hex, "roles": [], "sites": []}
        return {"authorization": f"Bearer {jwt.encode({'alg': 'ES256', 'kid': 'test'}, base | claims, key)}"}

    async with running(service):
        await world.send(event)
        await world.told(event, 4)
        operator, robot = bearer(roles=["operator"]), bearer(kind="service", sub="report")
        app = service.asgi
        app.state.token_verifier = TokenVerifier(audience="mss", jwks=JwksCache(keys), clock=SystemClock())
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mss") as http:
            mails, receipts = f"/mails/{event.report_id}", "/receipts/unmatched"
            shown = (await http.get(mails, headers=operator)).json()
            assert (await http.get(mails, headers=robot)).json() == shown
            assert (await http.get(receipts, headers=operator)).json() == []
            refused = [
                (await http.get(path, headers=headers)).status_code
                for path, headers in (
                    (mails, {}),
                    (mails, bearer(roles=["radiologist"])),
                    (mails, bearer(roles=["operator"], aud="dmp")),
                    (receipts, robot),
                    (f"{receipts}?limit=0", operator),
                )
            ]
    assert refused == [401, 403, 401, 403, 422]
    assert {(one["recipient_id"], one["state"]) for one in shown} == {
        (f"r-{world.CAMILLE[0]}", "delivered"),
        ("patient", "delivered"),
    }
    assert not any(secret in str(shown) for secret in world.SECRETS)


async def test_nothing_the_service_stores_logs_or_publishes_names_the_patient(world: Any) -> None:
    both = {"audience": ["professionals", "patient"]}
    fine, lost, refused = (world.composed(report=name, **both) for name in ("a", "b", "c"))
    published = ""
    process = world.process(subprocess.PIPE)
    try:
        await world.send(fine)
        published += str(await world.told(fine, 4))
        world.operator.faults.add({"target": "data", "kind": "lost_answer", "count": 2})
        await world.send(lost)
        published += str(await world.told(lost, 4))
        world.operator.faults.add({"target": "data", "kind": "5xx", "code": "554 5.6.0 non", "count": 2})
        await world.send(refused)
        published += str(await world.told(refused, 2))
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    stored = await world.dump()
    assert "service_started" in out
    assert fine.report_id in stored
    for secret in world.SECRETS:
        assert secret not in out + err
        assert secret not in stored
        assert secret not in published

"""A key that was taken back, at the door of the whole gateway."""

from __future__ import annotations

import json

import pytest

from autoscaler.gateway.access import Renewed, digest, new_key
from autoscaler.gateway.renewing import RENEW_SECONDS
from tests import gateway_awake
from tests.gateway_awake import KEY
from tests.samples import awake


class Secret:
    """What its owner has put there, and a clock for how long ago it was read."""

    def __init__(self, *keys: str) -> None:
        self.keys, self.now, self.reads = keys, 0.0, 0

    def read(self) -> str:
        self.reads += 1
        return json.dumps({"keys": [{"sha256": digest(key), "tenant": ""} for key in self.keys]})


@pytest.mark.parametrize("left", [(), (new_key(),)], ids=["none is left", "another is"])
def test_a_key_that_was_taken_back_opens_nothing_after_five_minutes(
    left: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = Secret(KEY)
    monkeypatch.setattr(gateway_awake, "ByKey", lambda _: Renewed(secret.read, lambda: secret.now))
    with gateway_awake.gateway_of(awake("llama")) as found:
        statuses = []
        for secret.now in (0.0, RENEW_SECONDS - 1, RENEW_SECONDS, RENEW_SECONDS + 1):
            statuses.append(found.client.get("/v1/models").status_code)
            secret.keys = left
        assert statuses == [200, 200, 401, 401]
        assert secret.reads == 2
        for key in left:
            other = {"authorization": f"Bearer {key}"}
            assert found.client.get("/v1/models", headers=other).status_code == 200
        assert found.chat().status_code == 401 and found.model.asked == []

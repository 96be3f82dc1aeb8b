"""Bucket policies are kept and shown, not enforced: moto ignores their conditions, so that
"deny what is not TLS" would deny everything. Requests here are on loopback."""

from __future__ import annotations

from typing import Any


def install() -> None:
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    def neutral(_bucket: Any, _action: str, _resource: str) -> PermissionResult:
        return PermissionResult.NEUTRAL

    FakeBucket.get_permission = neutral

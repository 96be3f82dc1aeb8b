"""Clients are made from the same descriptions as botocore's own."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from autoscaler.aws.clients import client
from autoscaler.aws.data_loader import FewFolders

AWS = Path(__file__).parents[2] / "layers" / "autoscaler" / "autoscaler"
SERVICES = sorted(
    {
        name
        for path in AWS.rglob("*.py")
        for name in re.findall(r'\bclient\("([a-z0-9-]+)"\)', path.read_text())
    }
)
KINDS = ("service-2", "paginators-1", "waiters-2", "endpoint-rule-set-1")


def test_the_services_of_the_layer_are_found() -> None:
    assert {"dynamodb", "sagemaker", "application-autoscaling", "sqs", "s3"} <= set(SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_every_description_is_botocores_own(service: str) -> None:
    own, theirs = FewFolders(), Loader()
    for kind in KINDS:
        try:
            expected = theirs.load_service_model(service, kind)
        except DataNotFoundError:
            with pytest.raises(DataNotFoundError):
                own.load_service_model(service, kind)
        else:
            assert own.load_service_model(service, kind) == expected


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_is_botocores_own(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    theirs = botocore.session.get_session().create_client(service, region_name="us-east-1")
    assert client(service).meta.service_model.api_version == theirs.meta.service_model.api_version


def test_an_unknown_service_fails_by_name() -> None:
    with pytest.raises(DataNotFoundError, match="no-such-service"):
        FewFolders().load_service_model("no-such-service", "service-2")

"""The only place that makes clients of AWS: cached, with retries that fit a Lambda.

They are botocore's own, which are all that boto3's clients are too. Importing boto3 as well would
take as long as importing botocore, for its resources and transfers, which nothing here uses.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.utils import get_environ_proxies

from .addressing import s3_config
from .data_loader import FewFolders

# SageMaker ends a response stream after 8 minutes at the latest, so no read may wait longer.
STREAM_READ_SECONDS = 490

# A call that AWS never answers ends after four times 3 + 7 s and the pauses between (1, 2, 4 s at
# most): within the 60 s that the shortest function has.
_ATTEMPTS, _CONNECT_SECONDS, _READ_SECONDS = 4, 3, 7
LONGEST_CALL_SECONDS = _ATTEMPTS * (_CONNECT_SECONDS + _READ_SECONDS) + 2**_ATTEMPTS // 2 - 1
_DEFAULT = Config(
    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    connect_timeout=_CONNECT_SECONDS,
    read_timeout=_READ_SECONDS,
    max_pool_connections=32,
)
# A request to a model is retried by its queue, never silently by the client: it costs GPU time.
_MODEL = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=5,
    read_timeout=STREAM_READ_SECONDS,
    max_pool_connections=64,
)
# A large file's part may take its time.
_S3 = _DEFAULT.merge(
    Config(
        retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=30
    )
)
_CONFIGS = {"sagemaker-runtime": _MODEL, "s3": _S3}
# Services that answer for all Regions, in a few of them only.
_REGIONS = {"pricing": "us-east-1"}


@cache
def client(service: str) -> Any:
    """Returns the client of a service, for the Region and credentials of the environment.

    It is made when it is first used: making one costs 30 to 60 ms of a cold start, and no
    handler needs all of those that its ports may use.
    """
    return _Later(service)


@cache
def _session() -> Any:
    """One for all clients: it keeps what they all read, above all the rules of endpoints."""
    session = botocore.session.get_session()
    session.register_component("data_loader", FewFolders())
    return session


# A session is not made for threads: one client is made at a time.
_MAKING = threading.Lock()


class _Later:
    """Stands for a client until somebody calls it."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        with _MAKING:
            if self._made is None:
                config = _CONFIGS.get(self._service, _DEFAULT)
                if self._service == "s3":
                    config = config.merge(s3_config(_session()))
                region = _REGIONS.get(self._service)
                make = _session().create_client
                self._made = make(self._service, region_name=region, config=config)
        return getattr(self._made, name)


@dataclass(frozen=True)
class Access:
    """What it takes to sign calls of SageMaker's runtime oneself, as boto3 resolved it."""

    credentials: Any  # botocore's, which renew themselves
    region: str
    url: str
    proxy: str = ""  # its URL; empty: there is none on the way
    authorities: str = ""  # file or folder of the only ones that are trusted; empty: the machine's


def model_access() -> Access:
    """For the gateway, whose streams are too many for a thread each. Raises NoCredentialsError."""
    made = client("sagemaker-runtime").meta
    credentials = _session().get_credentials()
    if credentials is None:
        raise NoCredentialsError
    url = made.endpoint_url
    proxy = get_environ_proxies(url).get(urlsplit(url).scheme, "")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    told = _session().get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE", "")
    return Access(credentials, made.region_name, url, proxy, told)


# What SQS calls a queue that is not there, by either protocol of its SDKs.
NO_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


def error_code(error: Any) -> str:
    """The code of a botocore ClientError, e.g. `ValidationException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def error_message(error: Any) -> str:
    """The message of a botocore ClientError."""
    return str(error.response.get("Error", {}).get("Message", ""))

"""How an S3 client signs what is sent past botocore (`uploads`), and to which host.

Left to itself botocore addresses a presigned request to S3's global host, whatever the client's
Region. That host sends a bucket's first requests on by 307, under a signature that is no longer
valid, and those of a Region that was opened after March 2019 back with 400:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingRouting.html
"""

from __future__ import annotations

from typing import Any

import botocore.session
from botocore.config import Config
from botocore.configprovider import ConfiguredEndpointProvider


def s3_config(session: Any = None, endpoint_url: str | None = None) -> Config:
    """To merge into a client's own. Only s3v4 signs checksum headers, and only with the style said
    does a presigned request go to the Region's host.

    Where an address is given, or configured, hosts of buckets may not resolve: botocore chooses.
    """
    own = endpoint_url or _configured(session or botocore.session.get_session())
    style = "auto" if own else "virtual"
    return Config(signature_version="s3v4", s3={"addressing_style": style})


def _configured(session: Any) -> str | None:
    found: str | None = ConfiguredEndpointProvider(
        full_config=session.full_config,
        scoped_config=session.get_scoped_config(),
        client_name="s3",
    ).provide()
    return found

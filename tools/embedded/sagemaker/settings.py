"""How long things take, in simulated seconds, and what is chosen where SageMaker says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SimSettings:
    """Defaults give 245 s from a wish for a copy at zero instances to the copy in service."""

    # The way of a copy: instance, container, weights.
    instance: float = 105
    container: float = 60
    weights: float = 80
    # With DataCacheConfig.EnableCaching, once a copy was up: published 333 -> 0 s, 168 -> 77 s.
    cached_container: float = 0
    cached_weights: float = 37
    # A leaving copy stays this long, and longer while it still answers, up to the drain limit.
    release: float = 20
    drain_limit: float = 60
    # An instance that lost its last copy; one that never had any (a new endpoint's first).
    idle_instance: float = 60
    unused_instance: float = 900
    endpoint: float = 120
    delete: float = 30

    # Capacity. An empty pool is passed at once, as botocore documents, or after its timeout.
    capacity_timeout: float = 600  # when VariantInstanceProvisionTimeoutInSeconds is not given
    capacity_retry: float = 30
    skip_empty_pools: bool = True
    default_quota: int = 100
    quotas: Mapping[str, int] = field(default_factory=dict)
    zero_instances_allowed: bool = True  # some Regions refuse MinInstanceCount 0

    # Start-up timeouts when StartupParameters do not say.
    download_timeout: float = 3600
    health_check_timeout: float = 600

    # The container: one request takes first_token + input / prefill_rate + output * token.
    first_token: float = 0.3
    prefill_rate: float = 6000
    token: float = 0.018
    concurrency: int = 64  # requests that a copy works on at once, unless its environment says
    longest_queue: int = 256  # more are refused with 429
    sync_limit: float = 60
    stream_limit: float = 480
    async_concurrency: int = 4  # per instance, when ClientConfig does not say

    # Money, and refusals that are known only from the field.
    billed_from_request: bool = True  # also: whether CurrentInstanceCount counts what still starts
    refuse_update_while_updating: bool = True
    strict_deletes: bool = True  # a model stays while a config or component names it

    publish_every: float = 10
    publish_late: float = 600  # after a jump of the clock only the last samples are published

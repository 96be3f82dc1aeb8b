"""What of a spec this stack cannot carry out, known before anything is created. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..catalog.images import UnknownRegionError, image
from ..catalog.instances import MIB, InstanceType, UnknownInstanceError, instance
from ..spec import EndpointSpec, Kind, Source
from .names import DEAD_LETTERS_SUFFIX, LATER_SUFFIX
from .serving import ServingError, environment, strangers

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html, and what a
# tag and a digest may be; SageMaker takes 255 characters of it.
_ECR = re.compile(
    r"(?=.{1,255}$)(?P<account>[0-9]{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com"
    r"/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
MOST_LATE_AT_A_TIME = 1000  # SageMaker's most of MaxConcurrentInvocationsPerInstance
# SageMaker refuses "large" values as "not enough hardware resources", seen in the field without a
# number: from here on, an assumption, a person is warned.
LARGE_MEMORY_MIB = 16 * 1024
# What becomes of requests that do not come through the endpoint's queue while it is asleep.
_DIRECT = {
    Kind.REALTIME: (
        "asleep, SageMaker has no such endpoint; what calls it directly is refused, and only "
        "requests through its queue wake it"
    ),
    Kind.ASYNC: (
        "what is sent to SageMaker directly waits there while it is asleep; only requests through "
        "its queue wake it"
    ),
}


@dataclass(frozen=True)
class Place:
    """Where the stack is."""

    region: str
    account: str


def refusals(spec: EndpointSpec, place: Place) -> Iterator[str]:
    """Yields a sentence for each field that cannot work here, saying what would."""
    yield from _name(spec)
    yield from _image(spec, place)
    yield from _key(spec, place)
    yield from _late(spec)
    for number in range(len(spec.rungs)):
        where = f"instances.alternatives, number {number}: " if number else ""
        rung = spec.on_rung(number)
        for name in rung.instances.types:
            try:
                yield from (where + wrong for wrong in _host(rung, instance(name)))
            except UnknownInstanceError as unknown:
                yield f"{where}instances.types: {unknown}"
    try:
        environment(spec, spec.instances.accelerators_per_copy or 1)
    except ServingError as wrong:
        yield str(wrong)


def _name(spec: EndpointSpec) -> Iterator[str]:
    for ending in (LATER_SUFFIX, DEAD_LETTERS_SUFFIX):
        if spec.name.endswith(ending):
            other = spec.name.removesuffix(ending)
            yield (
                f"name: a queue of endpoint {other!r} would be called {spec.name!r} too; choose a "
                f"name that does not end in {ending}"
            )


def _image(spec: EndpointSpec, place: Place) -> Iterator[str]:
    uri = spec.serving.image
    if uri is None:
        try:
            image(spec.serving.engine, place.region)
        except UnknownRegionError as unknown:
            yield f"serving.image: {unknown}"
        return
    found = _ECR.fullmatch(uri)
    if found is None:
        here = f"{place.account}.dkr.ecr.{place.region}.amazonaws.com/"
        yield (
            f"serving.image: {uri!r:.200} is not an image in ECR, and from no other registry can "
            f"copies of this stack pull; push it to {here}"
        )
    elif found["region"] != place.region:
        yield (
            f"serving.image: {uri!r:.200} lies in {found['region']}, and SageMaker pulls images "
            f"from its own Region only; copy it to {place.region}, or leave the key out"
        )


def _key(spec: EndpointSpec, place: Place) -> Iterator[str]:
    key = spec.encryption.kms_key
    if key is None:
        return
    _arn, _partition, _service, region, account, _name = key.split(":", 5)
    if region != place.region:
        yield (
            f"encryption.kms_key: the key is in {region}, the stack in {place.region}; name a key "
            f"of {place.region}"
        )
    if account != place.account:
        yield (
            f"encryption.kms_key: the key belongs to account {account}, the stack to "
            f"{place.account}; name a key of {place.account}"
        )


def _late(spec: EndpointSpec) -> Iterator[str]:
    wanted = spec.serving.concurrency_per_copy
    if spec.kind is Kind.ASYNC and wanted > MOST_LATE_AT_A_TIME:
        yield (
            f"serving.concurrency_per_copy: {wanted} is more than the {MOST_LATE_AT_A_TIME} "
            "requests that SageMaker hands an instance of an async endpoint at a time; lower it"
        )


def _host(spec: EndpointSpec, kind: InstanceType) -> Iterator[str]:
    """Accelerators are checked with the model's size; a copy's share of the host is, here."""
    asked, memory = spec.instances.cpus_per_copy, spec.instances.memory_mib_per_copy
    if asked is not None and asked > kind.vcpus:
        yield (
            f"instances.cpus_per_copy: {asked:g} is more than the {kind.vcpus} of {kind.name}; "
            "lower it, or list larger types"
        )
    host_mib = kind.host_memory_bytes // MIB
    if memory > host_mib:
        yield (
            f"instances.memory_mib_per_copy: {memory} is more than the {host_mib} MiB of "
            f"{kind.name}; leave it out: weights live in the accelerators' memory"
        )


def cautions(spec: EndpointSpec) -> Iterator[str]:
    """Yields what is allowed and may yet surprise; each names its field."""
    for key in strangers(spec):
        yield (
            f"serving.parameters.{key}: not among the settings that we know of "
            f"{spec.serving.engine}; whether serving.image has it is seen when it starts"
        )
    if spec.instances.memory_mib_per_copy > LARGE_MEMORY_MIB:
        yield (
            f'instances.memory_mib_per_copy: SageMaker refuses large values as "not enough '
            f"hardware resources\"; 1024 does for weights in the accelerators' memory, "
            f"{spec.instances.memory_mib_per_copy} may leave copies without a place"
        )
    if spec.model.source is Source.HUB:
        yield (
            "model.source: every start of a copy loads from the Hub, unproved and at the Hub's "
            "pace, and its token stands in the model that SageMaker keeps (docs/security.md)"
        )
    if spec.kind in _DIRECT:
        yield f"kind: {_DIRECT[spec.kind]}"
    if spec.network.vpc:
        reach = "the Hub" if spec.model.source is Source.HUB else "S3"
        yield (
            f"network.vpc: the subnets need a way to {reach}, to ECR and to CloudWatch Logs "
            "(endpoints or NAT), or no copy ever starts"
        )
    yield from _key_cautions(spec)


def _key_cautions(spec: EndpointSpec) -> Iterator[str]:
    """As botocore 1.43 says of CreateEndpointConfig's KmsKeyId; older SDKs say that the call fails
    for types with local disks, and then no instance is asked for."""
    with_disks = [name for name in spec.instances.types if instance(name).nvme_gb]
    if spec.encryption.kms_key and with_disks:
        yield (
            f"encryption.kms_key: the local disks of {', '.join(with_disks)} are encrypted by the "
            "machine's own module and never by this key, which is for the storage volume"
        )

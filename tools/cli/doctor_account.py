"""What of the account an endpoint needs: Region, images, quotas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from botocore.exceptions import ClientError

from autoscaler.aws.quotas import ServiceQuotas
from autoscaler.catalog.images import UnknownRegionError, image
from autoscaler.catalog.instances import UnknownInstanceError, instance, instances
from autoscaler.control.quotas import console
from autoscaler.ports import QuotaError
from autoscaler.spec import Engine
from tools.cli.doctor import Finding, Patient, error_code, ok, problem, warning

_NAMED = 6
# What Lambda keeps for functions without concurrency of their own (AWS: "Configuring reserved
# concurrency"); below it an account is a new one, which mostly has 10.
_LEAST_CONCURRENCY = 100
_CONFIGS_LOOKED_AT = 5


def region(patient: Patient) -> Iterator[Finding]:
    """Whether we know the Region, and whether it was seen to accept zero instances."""
    here = patient.region
    try:
        image(Engine.VLLM, here)
    except UnknownRegionError as unknown:
        yield problem("region", str(unknown), "or choose another Region with --region")
    else:
        yield ok("region", f"{here} is known, in account {patient.account}")
    if seen := _zero_was_accepted(patient):
        yield ok("zero instances", f"{here} took MinInstanceCount 0 for {seen}")
        return
    yield warning(
        "zero instances",
        f"whether {here} lets an endpoint go to zero instances is not known: AWS publishes no list",
        "a Region that refuses it says so when the first endpoint is created, before it bills",
    )


def _zero_was_accepted(patient: Patient) -> str | None:
    """The name of an endpoint configuration here that has a minimum of zero."""
    sagemaker = patient.client.boto("sagemaker")
    listed = sagemaker.list_endpoint_configs(
        NameContains=f"{patient.client.stack}-", MaxResults=_CONFIGS_LOOKED_AT
    )
    for config in listed["EndpointConfigs"]:
        name = config["EndpointConfigName"]
        found = sagemaker.describe_endpoint_config(EndpointConfigName=name)
        for variant in found["ProductionVariants"]:
            if variant.get("ManagedInstanceScaling", {}).get("MinInstanceCount") == 0:
                return str(name)
    return None


def functions(patient: Patient) -> Iterator[Finding]:
    """Whether Lambda runs enough of the stack's functions at a time."""
    limits = patient.client.boto("lambda").get_account_settings()["AccountLimit"]
    free = limits["UnreservedConcurrentExecutions"]
    if free >= _LEAST_CONCURRENCY:
        yield ok("functions", f"Lambda runs {free} at a time in {patient.region}")
        return
    yield warning(
        "functions",
        f"Lambda runs only {free} at a time in {patient.region}, of all functions: requests, ticks "
        "and alerts wait for one another, and a gateway finds none to reserve",
        f'ask for 1,000 "Concurrent executions" at {console(patient.region, "lambda")}',
    )


def images(patient: Patient) -> Iterator[Finding]:
    """The pinned image of every engine, or those of the files."""
    wanted = {(spec.serving.engine, spec.serving.image) for spec in patient.specs}
    for engine, override in sorted(wanted or {(engine, None) for engine in Engine}, key=str):
        try:
            uri = image(engine, patient.region, override).uri
        except UnknownRegionError as unknown:
            yield problem("image", f"{engine}: {unknown}", "")
            continue
        yield _image(patient, engine, uri)


def _image(patient: Patient, engine: Engine, uri: str) -> Finding:
    subject = f"image of {engine}"
    registry, _, rest = uri.partition("/")
    repository, _, tag = rest.partition(":")
    account = registry.split(".")[0]
    if not account.isdigit() or not tag or "@" in rest:
        return warning(subject, f"{uri} is not looked up: no tag in a registry of ECR")
    try:
        patient.client.boto("ecr").describe_images(
            registryId=account, repositoryName=repository, imageIds=[{"imageTag": tag}]
        )
    except ClientError as error:
        if error_code(error) == "ImageNotFoundException":
            way_out = "name one that is there in serving.image"
            return problem(subject, f"{uri} does not exist in {patient.region}", way_out)
        why = f"{uri} was not looked up ({error_code(error)})"
        return warning(subject, why, "its registry may let nobody list it; pulling it tells")
    return ok(subject, uri)


def quotas(patient: Patient) -> Iterator[Finding]:
    """How many instances of each wanted type endpoints may have; zero is a problem."""
    try:
        known = ServiceQuotas(patient.client.boto("service-quotas")).for_endpoints()
    except QuotaError as wrong:
        yield warning("quotas", f"not read: {wrong}", "it takes servicequotas:ListServiceQuotas")
        return
    if not patient.wanted_types:
        yield _any_quota(patient, known)
    for name in patient.wanted_types:
        yield _quota(patient, name, known)


def _quota(patient: Patient, name: str, known: Mapping[str, float]) -> Finding:
    subject = f"quota of {name}"
    try:
        instance(name)
    except UnknownInstanceError as unknown:
        return problem(subject, str(unknown), "correct instances.types or --types")
    if name not in known:
        return warning(subject, f"not known in {patient.region}", f"see {console(patient.region)}")
    if known[name] == 0:
        asked = f'ask for more of "{name} for endpoint usage" at {console(patient.region)}'
        return problem(subject, f"0 instances for endpoints in {patient.region}", asked)
    return ok(subject, f"{known[name]:g} for all endpoints in {patient.region}")


def _any_quota(patient: Patient, known: Mapping[str, float]) -> Finding:
    some = {name: known[name] for name in instances() if known.get(name, 0) > 0}
    if not some:
        return problem(
            "quotas",
            f"no accelerated instance type has any for endpoints in {patient.region}",
            f'ask for "<type> for endpoint usage" at {console(patient.region)}',
        )
    named = ", ".join(f"{name} {value:g}" for name, value in list(some.items())[:_NAMED])
    more = f" and {len(some) - _NAMED} more types" if len(some) > _NAMED else ""
    return ok("quotas", f"{named}{more}")

"""What the resources of an endpoint are called in AWS."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_SAGEMAKER_NAME = 63
# What a config's or a model's name may have behind the endpoint's: a build and a rung.
_SUFFIX = len("-b1000000-r4")
_DIGEST = len("-00000000")
LONGEST_EXECUTION_NAME = 80
DEAD_LETTERS_SUFFIX, LATER_SUFFIX = "-dlq", "-later"
ALARM_SUFFIXES = ("-oldest-request", "-no-capacity", "-burst")


@dataclass(frozen=True)
class ResourceNames:
    """All names follow from the stack's and the endpoint's; ValueError when they are too long.

    SageMaker's configs and models cannot be changed: each update in place (named by its
    generation) and each rung of the ladder has its own. Machines that are shared have one endpoint
    and one config (`hosted`: the digest of what is built into it) for all; two hyphens keep them
    apart from every endpoint of its own.
    """

    prefix: str
    name: str
    rung: int = 0
    config_build: int = 0
    model_build: int = 0
    rungs_build: int = 0
    shared: str = ""
    hosted: str = ""

    def __post_init__(self) -> None:
        longest = LONGEST_SAGEMAKER_NAME - _DIGEST - len(self.prefix) - len("--")
        if len(self.shared) > longest:
            raise ValueError(
                f"instances.shared: {self.shared!r} is too long: with stack {self.prefix!r} "
                f"SageMaker allows {longest} characters"
            )
        if len(self.base) + _SUFFIX > LONGEST_SAGEMAKER_NAME:
            most = LONGEST_SAGEMAKER_NAME - _SUFFIX - len(self.prefix) - 1
            raise ValueError(
                f"{self.name!r} is too long: with stack {self.prefix!r} SageMaker allows "
                f"{most} characters"
            )

    @property
    def base(self) -> str:
        return f"{self.prefix}-{self.name}"

    @property
    def endpoint(self) -> str:
        return shared_endpoint(self.prefix, self.shared) if self.shared else self.base

    @property
    def component(self) -> str:
        return self.base

    @property
    def config(self) -> str:
        if self.shared:
            return f"{self.endpoint}-{self.hosted}"
        return self.base + self._suffix(self.config_build)

    @property
    def model(self) -> str:
        return self.base + self._suffix(self.model_build)

    def _suffix(self, build: int) -> str:
        build = max(build, self.rungs_build) if self.rung else build
        built = f"-b{build}" if build else ""
        return built + (f"-r{self.rung}" if self.rung else "")

    @property
    def queue(self) -> str:
        return self.base

    @property
    def dead_letter_queue(self) -> str:
        return self.base + DEAD_LETTERS_SUFFIX

    @property
    def later_queue(self) -> str:
        """Of requests that may wait."""
        return self.base + LATER_SUFFIX

    @property
    def alarms(self) -> tuple[str, ...]:
        """All that is called by the endpoint."""
        return tuple(self.base + suffix for suffix in ALARM_SUFFIXES)

    @property
    def queue_alarm(self) -> str:
        return self.alarms[0]

    @property
    def capacity_alarm(self) -> str:
        return self.alarms[1]

    @property
    def burst_policy(self) -> str:
        return f"{self.component}-burst"

    @property
    def burst_alarm(self) -> str:
        return self.alarms[2]

    @property
    def scaling_policy(self) -> str:
        return f"{self.component}-concurrency"

    @property
    def log_group(self) -> str:
        """Where SageMaker writes what the containers say."""
        return f"/aws/sagemaker/InferenceComponents/{self.component}"

    def execution(self, generation: int) -> str:
        """The name of the execution that carries out the wish of a generation."""
        name = f"{self.name}-{generation}"
        if len(name) > LONGEST_EXECUTION_NAME:
            raise ValueError(f"{name!r} is longer than {LONGEST_EXECUTION_NAME} characters")
        return name


def shared_endpoint(prefix: str, shared: str) -> str:
    """The SageMaker endpoint of machines that are shared: no endpoint's own name has two hyphens
    in a row."""
    return f"{prefix}--{shared}"

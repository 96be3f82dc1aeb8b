"""What the guard asks the account: roles and their policies, tags, and what lies where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tools.embedded.kernel.account import Account

_PARTITION = "aws"


@dataclass(frozen=True)
class Documents:
    """The policies of a role, and its boundary if it has one: all as JSON."""

    policies: tuple[str, ...] = ()
    boundary: str | None = None


class AccountView:
    """Implements needed.Surroundings over moto's backends and the account's own services."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.account_id, self.region = account.account_id, account.region
        self.scaling_role_made = False

    def session(self, access_key: str) -> tuple[str, str] | None:
        """The ARN of the role whose session has an access key, and the session's name."""
        from moto.sts.models import sts_backends

        backend = sts_backends[self.account_id][_PARTITION]
        found = backend.get_assumed_role_from_access_key(access_key)
        return (str(found.role_arn), str(found.session_name)) if found is not None else None

    def documents(self, role_arn: str) -> Documents | None:
        """None: there is no such role."""
        from moto.iam.models import iam_backends

        backend = iam_backends[self.account_id][_PARTITION]
        for role in backend.get_roles():
            if role.arn == role_arn:
                limit = backend.managed_policies.get(str(role.permissions_boundary_arn))
                attached = tuple(map(_in_force, role.managed_policies.values()))
                return Documents((*role.policies.values(), *attached), limit and _in_force(limit))
        return None

    def origin(self, role_arn: str) -> tuple[str, str]:
        """The folder of the template that a role comes from, and its logical id there."""
        name = role_arn.rpartition("/")[2]
        for stack in list(self._account.engine.stacks.values()):
            for logical, made in list(stack.made.items()):
                if stack.types.get(logical) == "AWS::IAM::Role" and made.physical_id == name:
                    return str(stack.folder), logical
        return "", name

    def hash_key(self, table: str) -> str | None:
        from moto.dynamodb.models import dynamodb_backends

        found = dynamodb_backends[self.account_id][self.region].tables.get(table)
        return str(found.hash_key_attr) if found is not None else None

    def secret_arn(self, secret_id: str) -> str | None:
        from moto.secretsmanager.models import secretsmanager_backends

        found = secretsmanager_backends[self.account_id][self.region].secrets.get(secret_id)
        return str(found.arn) if found is not None else None

    def has_object(self, bucket: str, key: str) -> bool:
        from moto.s3.models import s3_backends

        found = s3_backends[self.account_id][_PARTITION].buckets.get(bucket)
        return found is not None and found.keys.get(key) is not None

    def mapping_function(self, mapping_id: str) -> str | None:
        found = self._mappings().get(mapping_id)
        return str(found.function_arn) if found is not None else None

    def has_scaling_role(self) -> bool:
        return self.scaling_role_made

    def tags(self, arn: str) -> Mapping[str, str]:
        reader = {
            "sagemaker": self._sagemaker_tags,
            "sqs": self._queue_tags,
            "lambda": self._mapping_tags,
            "cloudwatch": self._alarm_tags,
            "logs": self._group_tags,
        }.get(arn.split(":")[2] if arn.startswith("arn:") else "")
        return reader(arn) if reader is not None else {}

    def is_gone(self, arn: str) -> bool:
        """Whether an ARN names a thing that has tags when it exists, and does not exist."""
        if arn.startswith("arn:aws:sagemaker:"):
            return not self._account.sagemaker.exists(arn)
        if arn.startswith("arn:aws:sqs:"):
            return self._queue(arn) is None
        if ":event-source-mapping:" in arn:
            return arn.rpartition(":")[2] not in self._mappings()
        return False

    def _sagemaker_tags(self, arn: str) -> Mapping[str, str]:
        return self._account.sagemaker.tags_of(arn)

    def _queue_tags(self, arn: str) -> Mapping[str, str]:
        found = self._queue(arn)
        return dict(found.tags) if found is not None else {}

    def _queue(self, arn: str) -> Any:
        from moto.sqs.models import sqs_backends

        return sqs_backends[self.account_id][self.region].queues.get(arn.rpartition(":")[2])

    def _mapping_tags(self, arn: str) -> Mapping[str, str]:
        found = self._mappings().get(arn.rpartition(":")[2])
        return dict(found.tags) if found is not None else {}

    def _alarm_tags(self, arn: str) -> Mapping[str, str]:
        from moto.cloudwatch.models import cloudwatch_backends

        backend = cloudwatch_backends[self.account_id][self.region]
        return dict(backend.list_tags_for_resource(arn))

    def _group_tags(self, arn: str) -> Mapping[str, str]:
        """Those of its group, for a stream too."""
        from moto.logs.models import logs_backends

        group = arn.split(":log-group:")[-1].partition(":log-stream:")[0].removesuffix(":*")
        backend = logs_backends[self.account_id][self.region]
        return dict(backend.list_tags_log_group(group)) if group in backend.groups else {}

    def _mappings(self) -> Mapping[str, Any]:
        from moto.awslambda.utils import get_backend

        found: Mapping[str, Any] = get_backend(self.account_id, self.region)._event_source_mappings
        return found


def _in_force(policy: Any) -> str:
    """The version of a managed policy that counts."""
    return str(next(one.document for one in policy.versions if one.is_default))

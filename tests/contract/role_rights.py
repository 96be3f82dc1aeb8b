"""The rights of the template's roles, and what is asked of them by tests of more than one file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tools.embedded.iam import catalogue
from tools.embedded.iam.catalogue import Action
from tools.embedded.iam.conditions import Context
from tools.embedded.iam.policy import judge
from tools.permissions.grants import STACK, Grant, Roles
from tools.permissions.grants import roles as read

ROOT = Path(__file__).parents[2]
HERE = "us-east-1:123456789012"
SAGEMAKER = {"iam:passedtoservice": ("sagemaker.amazonaws.com",)}


def owned_by(stack: str) -> Context:
    """Everything that conditions may ask for; what is touched is a stack's, who asks is ours."""
    return {
        "aws:resourcetag/autoscaler:stack": (stack,),
        "aws:resourcetag/autoscaler:deletable": ("true",),
        "lambda:functionarn": (f"arn:aws:lambda:{HERE}:function:{stack}-dispatch-requests",),
        "aws:requesttag/autoscaler:stack": (STACK,),
        "sagemaker:taggingaction": ("CreateEndpoint",),
        "application-autoscaling:service-namespace": ("sagemaker",),
        "kms:grantisforawsresource": ("true",),
        "cloudwatch:namespace": ("AWS/SageMaker",),
        "dynamodb:leadingkeys": ("FLEET",),
        **SAGEMAKER,
    }


NAMESAKE = f"{STACK}-prod"  # its endpoint `a` is called as ours would be with the name `prod-a`
FOREIGN = owned_by("other")


@cache
def roles() -> Roles:
    return read(ROOT / "template.yaml")


def held(grant: Grant) -> list[Action]:
    """The actions of a statement; a wildcard stands for all that it takes in."""
    known = catalogue.actions().values()
    return [one for one in known if grant.statement.allows and grant.statement.matching(one.name)]


def all_held() -> Iterator[tuple[Grant, Action]]:
    for grant in roles().grants:
        for action in held(grant):
            yield grant, action


def allowed(role: str, action: str, resource: str, context: Context) -> bool:
    return judge(roles().policy(role), action, resource, context).allowed

"""Where in the results bucket an async endpoint's requests and answers lie. Pure.

SageMaker takes a name of 32 characters at most for an answer, and a request's id may have 128: the
name is made from the id, so that a request that was asked twice still has one answer.
"""

from __future__ import annotations

import hashlib

# Everything of a request is here until its answer is stored; a rule of the bucket takes the rest.
PREFIX = "async/"
# SageMaker's own limits: how long a request may wait in its queue (the most, and what it takes
# unless told), and how long a model may work on it (the most).
WAITS_SECONDS = 21_600
WORKS_SECONDS = 3_600
_NAME_CHARACTERS = 28


def late_prefix(endpoint: str) -> str:
    return f"{PREFIX}{endpoint}/"


def late_uri(bucket: str, endpoint: str) -> str:
    """Under which SageMaker puts `answers` and `failures`."""
    return f"s3://{bucket}/{late_prefix(endpoint)}"


def question_key(endpoint: str, request_id: str) -> str:
    return f"{late_prefix(endpoint)}questions/{_short(request_id)}.json"


def receipt_key(endpoint: str, request_id: str) -> str:
    """Of what SageMaker said when it took the request: where its answer or failure will lie."""
    return f"{late_prefix(endpoint)}receipts/{_short(request_id)}.json"


def answer_key(endpoint: str, request_id: str) -> str:
    """Where SageMaker is to put the answer."""
    return f"{late_prefix(endpoint)}answers/{answer_name(request_id)}"


def answer_name(request_id: str) -> str:
    return f"{_short(request_id)}.out"


def _short(request_id: str) -> str:
    return hashlib.sha256(request_id.encode()).hexdigest()[:_NAME_CHARACTERS]

"""What AWS said, as the one line that helps a person on."""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

_SIGN_IN = (SSOTokenLoadError, TokenRetrievalError, UnauthorizedSSOTokenError)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_UNKNOWN = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def explained(error: BotoCoreError | ClientError) -> str:
    """One line: what is wrong, and what mends it where we know."""
    if isinstance(error, ClientError):
        return _of_aws(error)
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return (
                "no AWS credentials were found: configure them; for the account on this machine: "
                'eval "$(bin/autoscaler local up)"'
            )
        case NoRegionError():
            return (
                "no Region is set: give --region or export AWS_REGION; for the account on this "
                'machine: eval "$(bin/autoscaler local up)"'
            )
        case ProfileNotFound():
            return f"{error}: check AWS_PROFILE"
        case EndpointConnectionError() | ConnectTimeoutError():
            return (
                f"nothing answers there: {error} (an embedded account is started by "
                "`autoscaler local up`)"
            )
        case ReadTimeoutError():
            return f"no answer came in time: {error}"
    if isinstance(error, _SIGN_IN):
        return f"the AWS sign-in has ended: sign in again ({error})"
    return f"{type(error).__name__}: {error}"


def is_denied(error: ClientError) -> bool:
    """Whether a permission is missing."""
    return error.response.get("Error", {}).get("Code") in _DENIED


def _of_aws(error: ClientError) -> str:
    said = error.response.get("Error", {})
    code, message = said.get("Code", ""), said.get("Message", "")
    request = error.response.get("ResponseMetadata", {}).get("RequestId", "unknown")
    if code in _EXPIRED:
        return f"the AWS credentials have expired: get new ones ({code})"
    if code in _UNKNOWN:
        return f"AWS does not know these credentials ({code}: {message})"
    if is_denied(error):
        return f"AWS denies {error.operation_name}: {message}"
    return f"AWS refused {error.operation_name}: {code}: {message} (request {request})"

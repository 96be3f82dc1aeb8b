"""Every way in which staging ends badly, each with a sentence for a person.

    StagingError
    ├── HubError
    │   ├── ModelNotFoundError       no such repository (or it is private)
    │   ├── RevisionNotFoundError    no such branch, tag or commit
    │   ├── GatedModelError          a licence must be accepted, a token given
    │   ├── HubReplyError            an answer that the Hub would not give
    │   └── HubUnavailableError      throttled, broken or silent        (try again later)
    │       └── HubBusyError         it named a time                    (not before that)
    ├── RefusedError
    │   ├── UnsafeNameError          a file name that could escape or collide
    │   ├── UnsafeFormatError        a format that can run code, or no weights at all
    │   ├── IntegrityError           not the bytes that the Hub published
    │   ├── FileTooLargeError        above what S3 takes as one object
    │   └── TooManyFilesError        a plan that a state machine cannot carry
    ├── PassportError
    │   ├── PassportMissingError     never sealed
    │   └── PassportInvalidError     sealed, and no longer true
    ├── ObjectMissingError           an object that must be in the bucket is not
    ├── UploadGoneError              a multipart upload that somebody ended
    ├── DigestUnavailableError       this machine cannot checkpoint a checksum
    └── StoreUnavailableError        the bucket did not answer          (try again later)

The state machine retries the two that say "try again later" by their class names, and waits as
long as a HubBusyError says. Only a RefusedError clears away what has been staged so far.
"""


class StagingError(RuntimeError):
    """Root of the tree."""


class HubError(StagingError):
    """The Hub did not give what was asked for."""


class ModelNotFoundError(HubError):
    """There is no such repository, or it is private."""


class RevisionNotFoundError(HubError):
    """The repository has no such branch, tag or commit."""


class GatedModelError(HubError):
    """The repository's terms must be accepted first."""


class HubReplyError(HubError):
    """An answer that makes no sense: not retried, and what is proven already stays."""


class HubUnavailableError(HubError):
    """The Hub is throttling, broken or silent, and the retry budget is spent."""


class HubBusyError(HubUnavailableError):
    """The Hub said how long to wait, and that is longer than this function may."""

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class RefusedError(StagingError):
    """What the Hub offers must not get into the bucket."""


class UnsafeNameError(RefusedError):
    """A file name that could escape its prefix or collide with another."""


class UnsafeFormatError(RefusedError):
    """A format that can run code, or a repository without loadable weights."""


class IntegrityError(RefusedError):
    """Bytes that are not what the Hub published at the commit."""


class FileTooLargeError(RefusedError):
    """More than S3 takes as one object."""


class TooManyFilesError(RefusedError):
    """A plan that would not fit through a state machine."""


class PassportError(StagingError):
    """The weights are not proven."""


class PassportMissingError(PassportError):
    """No passport: the weights were never staged completely."""


class PassportInvalidError(PassportError):
    """A passport that contradicts itself or the bucket."""


class DigestUnavailableError(StagingError):
    """OpenSSL's library is not there: a large file cannot be checkpointed."""


class UploadGoneError(StagingError):
    """A multipart upload that does not exist any more."""


class StoreUnavailableError(StagingError):
    """The bucket did not answer, or refused for a reason that may pass."""


class ObjectMissingError(StagingError):
    """The store answered that there is no such object."""

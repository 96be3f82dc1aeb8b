"""The ports with boto3, one module a service; the only place that makes clients."""

from .without_crt import import_botocore

import_botocore()  # before any module of this package has botocore imported

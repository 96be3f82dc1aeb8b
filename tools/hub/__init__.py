"""A stand-in for the Hugging Face Hub on loopback, with trouble on demand."""

from tools.hub.faults import Fault, Injection
from tools.hub.real import REAL_MODEL, REAL_SHA256, real_repository
from tools.hub.repository import Repository, RepositoryFile, make_repository
from tools.hub.server import HubServer

__all__ = [
    "REAL_MODEL",
    "REAL_SHA256",
    "Fault",
    "HubServer",
    "Injection",
    "Repository",
    "RepositoryFile",
    "make_repository",
    "real_repository",
]

"""A stand-in for the Hugging Face Hub on loopback, with trouble on demand."""

from tools.hub.faults import Fault, Injection
from tools.hub.repository import Repository, RepositoryFile, make_repository
from tools.hub.server import HubServer

__all__ = [
    "Fault",
    "HubServer",
    "Injection",
    "Repository",
    "RepositoryFile",
    "make_repository",
]

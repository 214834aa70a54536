"""The names of `tamar-model-client`, over the gateway's HTTP form of the Model Manager's calls.

An address is that of the gateway's HTTP port, with TLS unless `MODEL_MANAGER_SERVER_GRPC_USE_TLS` is
`false`, as the variables of the original say; tokens are made of the shared secret as there.
"""

from . import enums, exceptions, schemas
from ._clients import AsyncTamarModelClient, TamarModelClient
from .exceptions import ModelManagerClientError, TamarModelException

__all__ = [
    "AsyncTamarModelClient",
    "ModelManagerClientError",
    "TamarModelClient",
    "TamarModelException",
    "enums",
    "exceptions",
    "schemas",
]

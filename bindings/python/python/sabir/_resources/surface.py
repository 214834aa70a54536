"""Resources as attributes: what `client.files.create(…)` is found by."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Set

from .engine import Api
from .table import Row, table

#: Calls that are more than one request, by name; see `helpers`.
Helper = Callable[..., Any]


class Resource:
    """The calls of a resource, and the resources below it."""

    def __init__(self, api: Api, path: str, wrap: Optional[str] = None) -> None:
        self._api = api
        self._path = path
        self._wrap = wrap

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = self._find(name)
        if found is None:
            raise AttributeError(f"`{self._path}` has no call and no resource named {name!r}")
        # It is looked up once.
        self.__dict__[name] = found
        return found

    def _find(self, name: str) -> Any:
        path = table().found(self._path)
        row = table().rows(path).get(name)
        helper = helpers().get(f"{path}.{name}")
        if helper is not None and (self._wrap is None or row is None):
            return Bound(self._api, name, helper)
        if row is not None:
            return Call(self._api, f"{path}.{name}", row, self._wrap)
        if name in table().children(path) or f"{path}.{name}" in _sockets():
            return Resource(self._api, f"{path}.{name}", self._wrap)
        return None

    @property
    def with_raw_response(self) -> Resource:
        """The same calls, which give the answer as it came."""
        return Resource(self._api, self._path, "raw")

    @property
    def with_streaming_response(self) -> Resource:
        """The same calls, which are opened by `with` and leave reading the body to you."""
        return Resource(self._api, self._path, "stream")

    def __dir__(self) -> List[str]:
        path = table().found(self._path)
        here = [name.rpartition(".")[2] for name in helpers() if name.rpartition(".")[0] == path]
        return sorted({*super().__dir__(), *table().rows(path), *table().children(path), *here})

    def __repr__(self) -> str:
        return f"<Resource {self._path}>"


class Call:
    """One call of a resource."""

    def __init__(self, api: Api, name: str, row: Row, wrap: Optional[str]) -> None:
        self._api = api
        self._name = name
        self._wrap = wrap
        self.__name__ = row.name
        self.__qualname__ = name
        self.__doc__ = f"{row.verb} {row.path}"

    def __call__(self, *args: Any, **given: Any) -> Any:
        api = self._api
        request = api.made(self._name, args, given)
        if self._wrap == "raw":
            return api.do(api.whole(request))
        if self._wrap == "stream":
            return api.opening(request)
        return api.ask(request)

    def __repr__(self) -> str:
        return f"<Call {self._name}: {self.__doc__}>"


class Bound:
    """A helper of a resource."""

    def __init__(self, api: Api, name: str, helper: Helper) -> None:
        self._api = api
        self._helper = helper
        self.__name__ = name
        self.__doc__ = helper.__doc__

    def __call__(self, *args: Any, **given: Any) -> Any:
        return self._helper(self._api, *args, **given)


_HELPERS: Optional[Dict[str, Helper]] = None


def helpers() -> Dict[str, Helper]:
    """The helpers by name."""
    global _HELPERS
    if _HELPERS is None:
        from . import helpers as module

        _HELPERS = module.HELPERS
    return _HELPERS


def _sockets() -> Set[str]:
    """Resources that have nothing but a helper."""
    return {name.rpartition(".")[0] for name in helpers()}


class Surface:
    """A client's resources, as its attributes."""

    def _api_of(self) -> Api:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in table().children(""):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        found = self.__dict__[name] = Resource(self._api_of(), name)
        return found

"""Lists that come page by page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, AsyncIterator, Generator, Iterator, List, Mapping, Optional

from .answers import Reply, cast
from .encode import without
from .objects import ApiObject, kind
from .request import Request

if TYPE_CHECKING:
    from .engine import Api


class PageInfo:
    """What the call for the next page says differently."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = dict(params)
        self.url = None

    def __repr__(self) -> str:
        return f"PageInfo(params={self.params!r})"


class _Page(ApiObject):
    """A page: its members, and the way to the next one."""

    __slots__ = ("_api", "_request")
    _api: Api
    _request: Request

    @property
    def after(self) -> Optional[str]:
        """What comes after this page, to be given to the call as `after`; nothing at the end."""
        told = self.next_page_info()
        return next(iter(told.params.values())) if told else None

    def has_next_page(self) -> bool:
        """Whether there is more."""
        return bool(self._items()) and self.next_page_info() is not None

    def next_page_info(self) -> Optional[PageInfo]:
        """What the call for the next page says differently; nothing if there is none."""
        way = self._request.page
        members = self._data
        if members.get("has_more") is False or way == "plain":
            return None
        if way == "cursor":
            items = members.get("data") or []
            last = items[-1].get("id") if items and isinstance(items[-1], Mapping) else None
            return PageInfo({"after": last}) if last else None
        name, member = {"conversation": ("after", "last_id"), "next": ("after", "next"), "token": ("page", "next")}[
            str(way)
        ]
        told = members.get(member)
        return PageInfo({name: told}) if told else None

    def _items(self) -> List[Any]:
        return self.data or []

    def _next_request(self) -> Request:
        told = self.next_page_info()
        if told is None:
            raise RuntimeError("there is no next page: ask `has_next_page()` first")
        request = self._request.again()
        request.query.update(told.params)
        return request

    def _wrapped(self, name: str, value: Any) -> Any:
        if name == "data" and isinstance(value, list):
            item = kind(self._request.kind)
            return [item(entry, self._meta) if isinstance(entry, dict) else entry for entry in value]
        return super()._wrapped(name, value)


class SyncPage(_Page):
    """A page. Iterating over it goes on to the next ones."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        for one in self.iter_pages():
            yield from one._items()

    def iter_pages(self) -> Generator[SyncPage, None, None]:
        """This page and all after it."""
        one = self
        while True:
            yield one
            if not one.has_next_page():
                return
            one = one.get_next_page()

    def get_next_page(self) -> SyncPage:
        """The next page."""
        return self._api.runner.finish(self._api.asked(self._next_request()))  # type: ignore[no-any-return]


class AsyncPage(_Page):
    """A page. Iterating over it goes on to the next ones."""

    __slots__ = ()

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for one in self.iter_pages():
            for item in one._items():
                yield item

    async def iter_pages(self) -> AsyncIterator[AsyncPage]:
        """This page and all after it."""
        one = self
        while True:
            yield one
            if not one.has_next_page():
                return
            one = await one.get_next_page()

    async def get_next_page(self) -> AsyncPage:
        """The next page."""
        return await self._api.asked(self._next_request())  # type: ignore[no-any-return]


class Paginator:
    """The call for a page: awaited, it is the first one; iterated over, it is all items of all pages."""

    def __init__(self, api: Api, request: Request) -> None:
        self._api = api
        self._request = request

    def __await__(self) -> Generator[Any, None, AsyncPage]:
        return self._api.asked(self._request).__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for item in await self:
            yield item


def page(api: Api, reply: Reply, request: Request) -> Any:
    """An answer as a page."""
    if request.cast is not None:
        return cast(reply, reply._body or b"", request.cast)
    data: Any = json.loads(reply._body or b"")
    if isinstance(data, list):
        data = {"object": "list", "data": data}
    if not isinstance(data, dict):
        raise ValueError("a page has to be an object")
    made: _Page = (AsyncPage if api.runner.is_async else SyncPage)(data, reply.meta)
    request = request.again()
    request.query = without(request.query)
    made._api, made._request = api, request
    return made

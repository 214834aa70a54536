"""Many prompts for one model: some at once, not too many a minute, in order, and to be continued.

Invariant: results come in the order of the prompts, one for each, whatever order they end in.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import (
    Any,
    AsyncIterator,
    Callable,
    ClassVar,
    Deque,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Set,
    Tuple,
    TypeVar,
    Union,
)

from . import _messages
from ._messages import Prompt
from ._models import Model, ModelOutput, load_from_model_id
from ._parameters import Parameters
from ._printing import ProgressBar
from ._requests import StrPath
from ._resuming import Results

E = TypeVar("E", bound="CompletionEngine")


class CompletionEngine:
    """Asks a model many things.

    `async_capacity` calls run at once (`async_run`). In any minute at most `max_requests_per_minute`
    calls begin, and none begins while the answers of the last minute took `max_tokens_per_minute`
    tokens or more. With `error_mode="raise"` an error ends the run, with `"ignore"` it is the
    prompt's result. With `resume_file`, results are written there as they come, and a prompt whose
    result is there is not asked again.
    """

    #: How long the window of the limits is.
    NUM_SECONDS_PER_MINUTE: ClassVar[float] = 60

    _load: Callable[..., Any] = staticmethod(load_from_model_id)

    def __init__(
        self,
        chat_model: Union[Model, str],
        async_capacity: int = 3,
        max_requests_per_minute: Optional[int] = 20,
        error_mode: str = "raise",
        progress_bar_mode: str = "auto",
        max_tokens_per_minute: Optional[int] = None,
        resume_file: Optional[StrPath] = None,
    ) -> None:
        self.chat_model: Model = self._load(chat_model) if isinstance(chat_model, str) else chat_model
        self.error_mode = str(getattr(error_mode, "value", error_mode))
        if self.error_mode not in ("raise", "ignore"):
            raise ValueError(f"error_mode: `{error_mode}` is neither raise nor ignore")
        for name, limit in [
            ("async_capacity", async_capacity),
            ("max_requests_per_minute", max_requests_per_minute),
            ("max_tokens_per_minute", max_tokens_per_minute),
        ]:
            if limit is not None and limit < 1:
                raise ValueError(f"{name}: expected a whole number from 1")
        self.async_capacity = async_capacity
        self.progress_bar_mode = str(getattr(progress_bar_mode, "value", progress_bar_mode))
        self.resume_file = resume_file
        self._pace = _Pace(max_requests_per_minute, max_tokens_per_minute)

    @classmethod
    def from_model_id(cls: type[E], model_id: str, **more: Any) -> E:
        """An engine for the model that has this id."""
        return cls(cls._load(model_id), **more)

    def run(
        self, prompts: Iterable[Prompt], override_parameters: Optional[Parameters] = None, **more: Any
    ) -> Iterator[ModelOutput]:
        """The results, one after another: a prompt is asked when its result is wanted."""
        asked, parameters = self._asked(prompts, override_parameters, more)
        return self._run(asked, parameters)

    def async_run(
        self, prompts: Iterable[Prompt], override_parameters: Optional[Parameters] = None, **more: Any
    ) -> AsyncIterator[ModelOutput]:
        """The results, several at once. Leaving the iteration ends what runs."""
        asked, parameters = self._asked(prompts, override_parameters, more)
        return self._async_run(asked, parameters)

    def _asked(
        self, prompts: Iterable[Prompt], override: Optional[Parameters], more: Dict[str, Any]
    ) -> Tuple[List[List[Dict[str, Any]]], Parameters]:
        """All that is wrong with a prompt or a parameter is said before anything is sent."""
        if isinstance(prompts, str):
            raise ValueError("prompts: expected a list, not a text")
        parameters = self.chat_model.parameters.merged(override, **more)
        return [_messages.conversation(prompt) for prompt in prompts], parameters

    def _run(self, asked: List[List[Dict[str, Any]]], parameters: Parameters) -> Iterator[ModelOutput]:
        bar = ProgressBar(self.progress_bar_mode, len(asked), type(self).__name__)
        results = Results(self.resume_file, self.chat_model, parameters, asked)
        try:
            for index, messages in enumerate(asked):
                output = results.kept(index)
                if output is None:
                    while (pause := self._pace.pause(self.NUM_SECONDS_PER_MINUTE)) > 0:
                        time.sleep(pause)
                    try:
                        output = self.chat_model.chat_completion(messages, parameters)
                    except Exception as error:
                        output = self._failed(error, messages, parameters)
                    self._pace.took(output.usage)
                    results.keep(index, output)
                bar.advance(output.is_error)
                yield output
        finally:
            results.close()
            bar.close()

    async def _async_run(
        self, asked: List[List[Dict[str, Any]]], parameters: Parameters
    ) -> AsyncIterator[ModelOutput]:
        bar = ProgressBar(self.progress_bar_mode, len(asked), type(self).__name__)
        results = Results(self.resume_file, self.chat_model, parameters, asked)
        capacity = asyncio.Semaphore(self.async_capacity)
        turn = asyncio.Lock()
        # An error of a later prompt ends the run at once, and not when its turn comes.
        failed: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

        async def ask(index: int) -> ModelOutput:
            output = results.kept(index)
            if output is None:
                async with capacity:
                    # One waits for the limits, the others wait behind it: prompts begin in order.
                    async with turn:
                        while (pause := self._pace.pause(self.NUM_SECONDS_PER_MINUTE)) > 0:
                            await asyncio.sleep(pause)
                    try:
                        output = await self.chat_model.async_chat_completion(asked[index], parameters)
                    except Exception as error:
                        if self.error_mode == "raise" and not failed.done():
                            failed.set_result(error)
                        output = self._failed(error, asked[index], parameters)
                    self._pace.took(output.usage)
                    results.keep(index, output)
            bar.advance(output.is_error)
            return output

        tasks = [asyncio.ensure_future(ask(index)) for index in range(len(asked))]
        try:
            for task in tasks:
                if not task.done():
                    either: Set[asyncio.Future[Any]] = {task, failed}
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    raise failed.result()
                yield task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            results.close()
            bar.close()

    def _failed(self, error: Exception, messages: List[Dict[str, Any]], parameters: Parameters) -> ModelOutput:
        if self.error_mode == "raise":
            raise error
        kind = self.chat_model._output
        return kind(self.chat_model.model_id, parameters, messages=messages, error=str(error) or repr(error))


class _Pace:
    """When calls began and what answers took, in the last minute."""

    def __init__(self, requests: Optional[int], tokens: Optional[int]) -> None:
        self._requests = requests
        self._tokens = tokens
        self._begun: Deque[float] = deque()
        self._taken: Deque[Tuple[float, int]] = deque()

    def pause(self, minute: float) -> float:
        """How long to wait; at zero a call has begun."""
        now = time.monotonic()
        while self._begun and self._begun[0] <= now - minute:
            self._begun.popleft()
        while self._taken and self._taken[0][0] <= now - minute:
            self._taken.popleft()
        if self._requests is not None and len(self._begun) >= self._requests:
            return self._begun[0] + minute - now
        if self._tokens is not None and sum(tokens for _, tokens in self._taken) >= self._tokens:
            return self._taken[0][0] + minute - now
        self._begun.append(now)
        return 0

    def took(self, usage: Optional[Dict[str, Any]]) -> None:
        """What an answer took."""
        tokens = (usage or {}).get("total_tokens")
        if self._tokens is not None and isinstance(tokens, int):
            self._taken.append((time.monotonic(), tokens))

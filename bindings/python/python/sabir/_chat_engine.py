"""A conversation with a model that remembers what was said, and may call functions."""

from __future__ import annotations

import inspect
import json
from typing import Any, Callable, Dict, Iterable, List, Optional, TypeVar, Union

from . import _messages
from ._errors import RequestError
from ._functions import Function, as_function
from ._models import Model, ModelOutput, load_from_model_id
from ._parameters import Parameters
from ._printing import Printer, SimplePrinter

E = TypeVar("E", bound="ChatEngine")


class ChatEngine:
    """A conversation: each turn goes out with all that was said before.

    `functions` are called when the model asks for it, and their results go back as JSON, errors as
    their text, until the model answers in words or `max_function_calls_per_turn` is reached.
    """

    _load: Callable[..., Any] = staticmethod(load_from_model_id)

    def __init__(
        self,
        chat_model: Union[Model, str],
        temperature: Optional[float] = None,
        top_p: Optional[float] = None,
        max_tokens: Optional[int] = None,
        functions: Optional[Iterable[Union[Function[Any], Callable[..., Any]]]] = None,
        function_call_raise_error: bool = False,
        max_function_calls_per_turn: int = 5,
        stream: Union[bool, str] = "auto",
        printer: Union[Printer, str, None] = "auto",
    ) -> None:
        self.chat_model: Model = self._load(chat_model) if isinstance(chat_model, str) else chat_model
        self.functions: Dict[str, Function[Any]] = {}
        for given in functions or []:
            made = as_function(given)
            if made.name in self.functions:
                raise ValueError(f"two functions are named `{made.name}`")
            self.functions[made.name] = made
        if stream is True and self.functions:
            raise ValueError("Cannot stream when functions are provided.")
        self.stream = not self.functions if stream == "auto" else bool(stream)
        self.printer: Optional[Printer]
        if isinstance(printer, str):
            if printer != "auto":
                raise ValueError(f"printer: `{printer}` is neither `auto` nor a printer")
            self.printer = SimplePrinter() if stream else None
        else:
            self.printer = printer
        self.function_call_raise_error = function_call_raise_error
        self.max_function_calls_per_turn = max_function_calls_per_turn
        #: All that was said, as messages.
        self.history: List[Dict[str, Any]] = []
        #: What the model gave, call by call.
        self.model_outputs: List[ModelOutput] = []
        told = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
        self._own: Dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        if self.functions:
            self._own["functions"] = list(self.functions.values())
        # Checked at once, and not with the first turn.
        self.chat_model.parameters.merged(**self._own)

    @classmethod
    def from_model_id(cls: type[E], model_id: str, **more: Any) -> E:
        """A conversation with the model that has this id."""
        return cls(cls._load(model_id), **more)

    def chat(self, user_input: str, override_parameters: Optional[Parameters] = None, **more: Any) -> str:
        """Says something, and gives what the model answers in the end."""
        self._say(user_input)
        output = self._ask(override_parameters, more, self.stream)
        rounds = 0
        while calls := _messages.calls_of(output.messages):
            for call in calls:
                rounds = self._counted(rounds)
                self._returned(call, self._run(call))
            output = self._ask(override_parameters, more, False)
        return output.reply

    async def async_chat(
        self, user_input: str, override_parameters: Optional[Parameters] = None, **more: Any
    ) -> str:
        """The same within an event loop; functions may be async."""
        self._say(user_input)
        output = await self._async_ask(override_parameters, more, self.stream)
        rounds = 0
        while calls := _messages.calls_of(output.messages):
            for call in calls:
                rounds = self._counted(rounds)
                self._returned(call, await self._async_run(call))
            output = await self._async_ask(override_parameters, more, False)
        return output.reply

    def reset(self) -> None:
        """Forgets what was said."""
        self.history.clear()

    def _say(self, user_input: str) -> None:
        message = {"role": "user", "content": user_input}
        self.history.append(message)
        if self.printer is not None:
            self.printer.print_message(message)

    def _ask(self, override: Optional[Parameters], more: Dict[str, Any], stream: bool) -> ModelOutput:
        asked = {**self._own, **more}
        if not stream:
            return self._heard(self.chat_model.chat_completion(self.history, override, **asked))
        pieces = self.chat_model.stream_chat_completion(self.history, override, **asked)
        if self.printer is not None:
            return self._heard(self.printer.print_stream(pieces), shown=True)
        *_, last = pieces
        return self._heard(last)

    async def _async_ask(self, override: Optional[Parameters], more: Dict[str, Any], stream: bool) -> ModelOutput:
        asked = {**self._own, **more}
        if not stream:
            return self._heard(await self.chat_model.async_chat_completion(self.history, override, **asked))
        pieces = self.chat_model.async_stream_chat_completion(self.history, override, **asked)
        if self.printer is not None:
            return self._heard(await self.printer.async_print_stream(pieces), shown=True)
        *_, last = [piece async for piece in pieces]
        return self._heard(last)

    def _heard(self, output: ModelOutput, shown: bool = False) -> ModelOutput:
        self.model_outputs.append(output)
        self.history.extend(output.messages)
        if self.printer is not None and not shown:
            for message in output.messages:
                self.printer.print_message(message)
        return output

    def _counted(self, rounds: int) -> int:
        if rounds >= self.max_function_calls_per_turn:
            raise RuntimeError("Maximum number of function calls reached.")
        return rounds + 1

    def _found(self, call: Dict[str, Any]) -> Optional[Function[Any]]:
        found = self.functions.get(call["name"])
        if found is None and self.function_call_raise_error:
            raise ValueError(f"the model called `{call['name']}`, which is no function of this conversation")
        return found

    def _run(self, call: Dict[str, Any]) -> Any:
        found = self._found(call)
        if found is None:
            return _NOT_FOUND
        if found.is_async:
            raise RequestError(f"`{found.name}` is async: use `async_chat`")
        try:
            return found.call(call["arguments"])
        except Exception as error:
            return self._failed(error)

    async def _async_run(self, call: Dict[str, Any]) -> Any:
        found = self._found(call)
        if found is None:
            return _NOT_FOUND
        try:
            result = found.call(call["arguments"])
            return await result if inspect.isawaitable(result) else result
        except Exception as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> str:
        if self.function_call_raise_error:
            raise error
        return str(error)

    def _returned(self, call: Dict[str, Any], result: Any) -> None:
        message = _messages.result_of(call, json.dumps(result, ensure_ascii=False, default=str))
        self.history.append(message)
        if self.printer is not None:
            self.printer.print_message(message)


_NOT_FOUND = "Function not found, please try another function."

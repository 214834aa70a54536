"""Functions that models may call: what models are told, and what they may send."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
from typing import Annotated, Any, Dict, List, Literal, Optional, Tuple, TypedDict, Union

import pytest

import sabir
from sabir import FunctionError, function, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Place:
    city: str
    height: float = 0.0


class Line(TypedDict):
    begin: int
    end: int


@function
def get_weather(city: str, country: Literal["US", "CN"] = "US", days: Optional[int] = None) -> str:
    """Get weather of the city.

    Args:
        city: The name of the city,
            in its own language.
        country (str): The name of the country. Defaults to 'US'.

    Returns:
        str: words.
    """
    return f"{city}, {country}, {days}"


def test_the_schema_comes_from_hints_and_docstring() -> None:
    assert get_weather.json_schema == {
        "name": "get_weather",
        "description": "Get weather of the city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "The name of the city, in its own language."},
                "country": {
                    "type": "string",
                    "enum": ["US", "CN"],
                    "default": "US",
                    "description": "The name of the country. Defaults to 'US'.",
                },
                "days": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            },
            "required": ["city"],
        },
    }
    assert get_weather.tool == {"type": "function", "function": get_weather.json_schema}
    assert get_weather("Oslo", days=2) == "Oslo, US, 2"


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (Any, {}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (List[int], {"type": "array", "items": {"type": "integer"}}),
        (Dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (
            Tuple[int, str],
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (
            Place,
            {
                "type": "object",
                "properties": {"city": {"type": "string"}, "height": {"type": "number"}},
                "required": ["city"],
            },
        ),
        (
            Line,
            {
                "type": "object",
                "properties": {"begin": {"type": "integer"}, "end": {"type": "integer"}},
                "required": ["begin", "end"],
            },
        ),
        (datetime.date, {"type": "string", "format": "date"}),
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
    ],
)
def test_hints_as_schemas(hint: Any, schema: Dict[str, Any]) -> None:
    def ask(value):  # type: ignore[no-untyped-def]
        return value

    ask.__annotations__ = {"value": hint}
    assert function(ask).parameters["properties"]["value"] == schema


def test_docstrings_of_the_other_styles() -> None:
    def numpy_style(a: int, b: int) -> None:
        """Says
        something.

        Parameters
        ----------
        a : int
            The first.
        b
            The second,
            which is longer.

        Returns
        -------
        None
        """

    def rest_style(a: int, b: int) -> None:
        """Says something.

        :param a: The first.
        :param int b: The second,
            which is longer.
        :returns: nothing
        """

    for style in [numpy_style, rest_style]:
        made = function(style)
        assert made.description == "Says something."
        texts = [made.parameters["properties"][name]["description"] for name in "ab"]
        assert texts == ["The first.", "The second, which is longer."]


def test_arguments_become_what_the_hints_say() -> None:
    @tool(name="paint")
    def renamed(colour: Colour, place: Place, line: Line, many: Union[int, List[int]], when: datetime.date) -> Any:
        return colour, place, line, many, when

    sent = (
        '{"colour": "red", "place": {"city": "Oslo", "height": "2.5"}, "line": {"begin": 1.0, "end": "2"},'
        ' "many": [1, 2], "when": "2024-02-29"}'
    )
    expected = (Colour.RED, Place("Oslo", 2.5), {"begin": 1, "end": 2}, [1, 2], datetime.date(2024, 2, 29))
    assert renamed.name == "paint" and renamed.call(sent) == expected
    message = {"role": "assistant", "content": {"name": "paint", "arguments": sent}}
    assert renamed.call_with_message(message) == expected
    # A line end within a text is no JSON, but models write it.
    assert get_weather.call('{"city": "a\nb"}') == "a\nb, US, None"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{", "the arguments of `get_weather` are not JSON"),
        ("[]", "the arguments of `get_weather` are not an object"),
        ("{}", "`get_weather` needs the parameter `city`"),
        ('{"city": 7}', "parameter `city` of `get_weather`: expected a text"),
        ('{"city": "a", "country": "NO"}', "parameter `country` of `get_weather`: expected one of 'US', 'CN'"),
        ('{"city": "a", "days": 1.5}', "parameter `days` of `get_weather`: expected a whole number; or expected null"),
        ('{"city": "a", "more": 1}', "`get_weather` has no parameter `more`"),
    ],
)
def test_arguments_that_do_not_fit(arguments: str, message: str) -> None:
    with pytest.raises(FunctionError, match=f"^{message}"):
        get_weather.call(arguments)


def test_functions_that_cannot_be_offered() -> None:
    def many(*names: str) -> None: ...
    def odd(value: complex) -> None: ...
    def unknown(value: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    cases: List[Tuple[Any, str]] = [
        (many, "parameter `names` of `many`: a model can only name its arguments"),
        (odd, "parameter `value` of `odd`: complex has no JSON Schema"),
        (unknown, "the hints of `unknown` cannot be read"),
    ]
    for wrong, message in cases:
        with pytest.raises(FunctionError, match=message):
            function(wrong)


def test_async_functions() -> None:
    @sabir.function
    async def later(text: str) -> str:
        await asyncio.sleep(0)
        return text

    assert later.is_async
    assert asyncio.run(later.call('{"text": "a"}')) == "a"

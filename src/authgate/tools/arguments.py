"""What a tool takes: one table entry an argument, from which it is both checked and described.

Models write arguments by hand, so the check is strict about types and names what is wrong, and
lenient where nothing can go wrong: null and "" mean absent (as in a form, RFC 6749 section 3.1),
and an argument the tool does not know is ignored, as RFC 6749 section 3.2 and RFC 7591 section 2
ask of the endpoints. Refusing those would only turn away clients that send `prompt` or `nonce` out
of habit. Ignored means dropped here: no rule ever sees it.

Which argument is missing is not judged here. The steps do, in the words they use everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import orjson

from authgate.protocol import parameters
from authgate.protocol.errors import Reason, Refusal
from authgate.protocol.parameters import MAX_VALUE_LENGTH, Parameters

Given = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool. `required` is told to clients; the steps see to it."""

    name: str
    description: str
    required: bool = False
    kind: Literal["string", "object"] = "string"


def schema(arguments: Sequence[Argument]) -> dict[str, object]:
    """The JSON Schema of a tool's input."""
    return {
        "type": "object",
        "properties": {argument.name: _property(argument) for argument in arguments},
        "required": [argument.name for argument in arguments if argument.required],
    }


def _property(argument: Argument) -> dict[str, object]:
    described: dict[str, object] = {"type": argument.kind, "description": argument.description}
    if argument.kind == "string":
        described["maxLength"] = MAX_VALUE_LENGTH
    return described


def mapping(given: object) -> Given:
    """The arguments as a JSON object; none at all is an empty one."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Refusal(Reason.PARAMETER_TYPE, name="params", expected="a JSON object")
    return given


def strings(given: Given, arguments: Sequence[Argument]) -> Parameters:
    """The string arguments in the form in which every endpoint hands them to the steps."""
    pairs: list[tuple[str, str]] = []
    for argument in arguments:
        value = given.get(argument.name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise Refusal(Reason.PARAMETER_TYPE, name=argument.name, expected="a string")
        pairs.append((argument.name, value))
    return parameters.read(pairs)


def document(given: Given, name: str) -> object:
    """A JSON object among the arguments; its members are the business of whoever judges it.

    Some clients send objects as JSON text inside a string (Claude Desktop does); what they mean is
    plain, so it is read.
    """
    value = given.get(name)
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise Refusal(Reason.PARAMETER_TYPE, name=name, expected="a JSON object") from None
    if value is None or value == "":
        raise Refusal(Reason.PARAMETER_MISSING, name=name)
    if not isinstance(value, dict):
        raise Refusal(Reason.PARAMETER_TYPE, name=name, expected="a JSON object")
    return value

"""Output held to a form: grammars, JSON Schemas, regular expressions, choices, tools."""

from __future__ import annotations

import functools

from . import _native
from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Sequence, Union


@functools.lru_cache(maxsize=64)
def _compiled(kind: str, *arguments: Any) -> "_native.Grammar":
    return getattr(_native.Grammar, kind)(*arguments)


def _schema_text(schema: Any) -> str:
    if isinstance(schema, (str, bytes)):
        return schema.decode() if isinstance(schema, bytes) else schema
    if hasattr(schema, "model_json_schema"):  # a class of pydantic's
        schema = schema.model_json_schema()
    import json

    try:
        return json.dumps(schema)
    except (TypeError, ValueError, RecursionError) as e:
        raise InvalidArgument(f"json_schema: cannot be written as JSON: {e}") from None


class Grammar:
    """A set of texts that generation can be held to: generate(..., grammar=Grammar.regex("[0-9]+")).

    Immutable and of no particular model. Those made from equal texts share what is worked out for a model's vocabulary.
    Malformed: InvalidArgument; what the notation has and the library has not: Unsupported, naming it; too large:
    LimitReached.
    """

    def __init__(self, native: "_native.Grammar"):
        self._native = native

    @classmethod
    def gbnf(cls, text: str, root: str = "root") -> "Grammar":
        """GBNF, the notation of llama.cpp; in it, %json{...} stands for JSON of the schema in the braces."""
        return cls(_compiled("gbnf", text, root))

    @classmethod
    def json_schema(cls, schema: Any, *, compact: bool = False, closed: bool = False) -> "Grammar":
        """JSON of a schema (draft 2020-12): a dict, True, its text, or a class of pydantic's.

        compact  without white space
        closed   objects with "properties" and no word on additionalProperties have no others
        """
        return cls(_compiled("json_schema", _schema_text(schema), bool(compact), bool(closed)))

    @classmethod
    def regex(cls, pattern: str) -> "Grammar":
        """Texts that the pattern matches from end to end: ECMAScript's notation without look-around."""
        return cls(_compiled("regex", pattern))

    @classmethod
    def choices(cls, choices: Sequence[str]) -> "Grammar":
        """One of these texts."""
        return cls(_native.Grammar.choices([str(c) for c in choices]))

    @classmethod
    def tools(cls, tools: Sequence[dict], choice: str = "auto", *, parallel: bool = False) -> "Grammar":
        """What an answer may be when there are tools in OpenAI's shape: "auto", "required", or a tool's name."""
        import json

        return cls(_compiled("tools", json.dumps(list(tools)), choice, bool(parallel)))

    def accepts(self, text: str) -> bool:
        """Is this one of the texts?"""
        return self._native.accepts(text)


def chosen(grammar: Union[Grammar, str, None], json_schema: Any, regex: Optional[str], choices: Optional[Sequence[str]]) -> Optional[Grammar]:
    """The one of the four that is given. Errors: InvalidArgument for more than one."""
    given = [n for n, v in (("grammar", grammar), ("json_schema", json_schema), ("regex", regex), ("choices", choices)) if v is not None]
    if len(given) > 1:
        raise InvalidArgument(f"{' and '.join(given)} are given; only one can hold")
    if grammar is not None:
        return Grammar.gbnf(grammar) if isinstance(grammar, str) else grammar
    if json_schema is not None:
        return Grammar.json_schema(json_schema)
    if regex is not None:
        return Grammar.regex(regex)
    return Grammar.choices(choices) if choices is not None else None


def tool_calls(text: str) -> dict:
    """The calls in an answer: {"content": text before them or None, "tool_calls": [{"name", "arguments": dict}]}."""
    import json

    return json.loads(_native.tool_calls_json(text))

"""Completions in the shape that users of OpenAI's client and of llama-cpp-python know."""

from __future__ import annotations

import os
import time

from .errors import InvalidArgument
from .grammar import Grammar, tool_calls
from .sampling import make_sampler
from .session import Event, Session, token_limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

    from .model import Model

_FINISH = {"end": "stop", "stop": "stop", "length": "length", "context_full": "length", "cancelled": "stop", "callback": "stop"}


def _id(prefix: str) -> str:
    return f"{prefix}-{os.urandom(16).hex()}"


def _bytes(model: "Model", token: int) -> bytes:
    return model.detokenize([token], special=True)


def _chat_logprob(model: "Model", token: int, logprob: float) -> dict:
    raw = _bytes(model, token)
    return {"token": raw.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(raw)}


def _chat_logprobs(model: "Model", e: Event) -> dict:
    entry = _chat_logprob(model, e.token, e.logprob)
    entry["top_logprobs"] = [_chat_logprob(model, t, p) for t, p in e.top]
    return {"content": [entry], "refusal": None}


def _text_logprobs(model: "Model", e: Event, offset: int) -> Dict[str, list]:
    text = _bytes(model, e.token).decode("utf-8", "replace")
    return {
        "text_offset": [offset],
        "token_logprobs": [e.logprob],
        "tokens": [text],
        "top_logprobs": [{_bytes(model, t).decode("utf-8", "replace"): p for t, p in e.top}],
    }


def _format_grammar(response_format: Optional[dict]) -> Optional[Grammar]:
    """The grammar of OpenAI's response_format; None: any text."""
    if response_format is None:
        return None
    kind = response_format.get("type") if isinstance(response_format, dict) else None
    if kind == "text":
        return None
    if kind == "json_object":  # "schema" is llama-cpp-python's
        return Grammar.json_schema(response_format.get("schema") or {"type": "object"})
    if kind == "json_schema":
        named = response_format.get("json_schema")
        if isinstance(named, dict) and "schema" in named:
            return Grammar.json_schema(named["schema"])
        raise InvalidArgument("response_format: json_schema has no schema")
    raise InvalidArgument(f"response_format: type is {kind!r}; known are 'text', 'json_object' and 'json_schema'")


def _tool_grammar(tools: Optional[Sequence[dict]], choice: Union[str, dict, None], parallel: bool) -> Optional[Grammar]:
    """The grammar of OpenAI's tools and tool_choice; None: any text."""
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        choice = (choice.get("function") or {}).get("name")
        if not isinstance(choice, str):
            raise InvalidArgument("tool_choice names no function")
    elif choice not in (None, "auto", "required"):
        raise InvalidArgument(f"tool_choice is {choice!r}; known are 'none', 'auto', 'required' and a function")
    return Grammar.tools(tools, choice or "auto", parallel=parallel)


def _openai_calls(calls: Sequence[dict]) -> List[dict]:
    import json

    return [
        {"id": _id("call"), "type": "function", "function": {"name": c["name"], "arguments": json.dumps(c["arguments"], ensure_ascii=False)}}
        for c in calls
    ]


class Completions:
    """The methods of Model that return OpenAI-shaped dictionaries."""

    def _sampled(self, options: dict, temperature: float):
        names: dict = dict(
            temperature=temperature, top_k=40, top_p=0.95, min_p=0.05, typical_p=1.0, repeat_penalty=1.0, frequency_penalty=0.0, presence_penalty=0.0,
            logit_bias=None, seed=None,
        )
        values = {k: v if options.get(k) is None else options[k] for k, v in names.items()}
        for k in names:
            options.pop(k, None)
        if options:
            raise InvalidArgument(f"unknown option: {', '.join(sorted(options))}")
        return make_sampler(**values)

    def create_chat_completion(  # type: ignore[misc]
        self: "Model",
        messages: Sequence[dict],
        *,
        stream: bool = False,
        max_tokens: Optional[int] = None,
        stop: Union[str, Sequence[str], None] = None,
        logprobs: bool = False,
        top_logprobs: Optional[int] = None,
        tools: Optional[Sequence[dict]] = None,
        tool_choice: Union[str, dict, None] = None,
        parallel_tool_calls: bool = True,
        response_format: Optional[dict] = None,
        grammar: Optional[Grammar] = None,
        n: int = 1,
        session: Optional[Session] = None,
        model: Optional[str] = None,
        user: Optional[str] = None,
        **options: Any,
    ) -> Union[dict, Iterator[dict]]:
        """As OpenAI's chat.completions.create and llama-cpp-python's method of this name. Streams chunks if asked to.

        Further options, with llama-cpp-python's defaults: temperature (0.2), top_k (40), top_p (0.95), min_p (0.05),
        typical_p, repeat_penalty, frequency_penalty, presence_penalty, logit_bias, seed. None means the default; an
        option that is not known raises InvalidArgument. max_tokens None, 0 or less: no limit.

        tools, tool_choice   the answer is text or calls of these functions, with arguments of their schemas; give results back
                             as messages of the role "tool"
        response_format      {"type": "json_object"} or {"type": "json_schema", "json_schema": {"schema": ...}}
        grammar              instead of those: a Grammar
        """
        from .model import pack_json, pack_messages

        if n != 1:
            raise InvalidArgument(f"n is {n}; only one choice is made")
        s = self._own_session() if session is None else session
        wanted = max(1, int(top_logprobs or 0)) if logprobs else 0
        forms = [g for g in (_tool_grammar(tools, tool_choice, parallel_tool_calls), _format_grammar(response_format), grammar) if g]
        if len(forms) > 1:
            raise InvalidArgument("tools, response_format and grammar: only one of them can hold")
        if tool_choice == "none":
            tools = None
        s.start(
            None, messages=pack_messages(messages), max_tokens=token_limit(max_tokens), stop=stop or (), logprobs=wanted,
            sampler=self._sampled(options, 0.2), tools_json=pack_json(list(tools)) if tools else "", grammar=forms[0] if forms else None,
        )
        head = {"id": _id("chatcmpl"), "created": int(time.time()), "model": model or self.source}
        if stream:
            return self._chat_chunks(s, head, bool(logprobs), int(top_logprobs or 0), bool(tools))
        entries: List[dict] = []
        for e in s.events():
            if e.kind == "token" and logprobs:
                entry = _chat_logprobs(self, e)["content"][0]
                entry["top_logprobs"] = entry["top_logprobs"][: int(top_logprobs or 0)]
                entries.append(entry)
        r = s.result()
        message: Dict[str, Any] = {"role": "assistant", "content": r.text}
        finish = _FINISH.get(r.finish_reason, "stop")
        if tools:
            found = tool_calls(r.text)
            message["content"] = found["content"]
            if found["tool_calls"]:
                message["tool_calls"], finish = _openai_calls(found["tool_calls"]), "tool_calls"
        return {
            **head,
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": {"content": entries, "refusal": None} if logprobs else None,
                    "finish_reason": finish,
                }
            ],
            "usage": self._usage(s),
        }

    def _usage(self, s: Session) -> Dict[str, int]:
        r = s._s.result()
        return {
            "prompt_tokens": r["prompt_tokens"],
            "completion_tokens": r["generated_tokens"],
            "total_tokens": r["prompt_tokens"] + r["generated_tokens"],
        }

    def _chat_chunks(self: "Model", s: Session, head: dict, logprobs: bool, top: int, tools: bool) -> Iterator[dict]:  # type: ignore[misc]
        def chunk(delta: dict, finish: Optional[str] = None, logs: Optional[dict] = None) -> dict:
            return {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "logprobs": logs, "finish_reason": finish}]}

        yield chunk({"role": "assistant"})
        held, first = "", tools  # what may be the beginning of a call, which is the beginning of the answer
        for e in s.events():
            logs = _chat_logprobs(self, e) if logprobs and e.kind == "token" else None
            if logs:
                logs["content"][0]["top_logprobs"] = logs["content"][0]["top_logprobs"][:top]
            text = held + e.text
            if first and ("<tool_call>".startswith(text) or text.startswith("<tool_call>")):
                held, text = text, ""
            else:
                held, first = "", False
            if text or logs:
                yield chunk({"content": text}, None, logs)
            if e.kind == "done":
                found = tool_calls(held) if held else {"content": None, "tool_calls": []}
                if found["tool_calls"]:
                    yield chunk({"tool_calls": [{"index": i, **c} for i, c in enumerate(_openai_calls(found["tool_calls"]))]})
                    yield chunk({}, "tool_calls")
                    return
                if held:
                    yield chunk({"content": held})
                yield chunk({}, _FINISH.get(e.finish_reason or "", "stop"))

    def create_completion(  # type: ignore[misc]
        self: "Model",
        prompt: Union[str, Sequence[int]],
        *,
        suffix: Optional[str] = None,
        max_tokens: Optional[int] = 16,
        stop: Union[str, Sequence[str], None] = None,
        stream: bool = False,
        echo: bool = False,
        logprobs: Optional[int] = None,
        n: int = 1,
        session: Optional[Session] = None,
        model: Optional[str] = None,
        user: Optional[str] = None,
        **options: Any,
    ) -> Union[dict, Iterator[dict]]:
        """As OpenAI's completions.create and llama-cpp-python's method of this name: the prompt goes to the model as it is.

        Further options as in create_chat_completion(), but temperature is 0.8 by default. logprobs: how many of the most
        probable tokens to report for each.
        """
        if n != 1:
            raise InvalidArgument(f"n is {n}; only one choice is made")
        s = self._own_session() if session is None else session
        s.start(prompt, max_tokens=token_limit(max_tokens), stop=stop or (), logprobs=logprobs or 0, sampler=self._sampled(options, 0.8), parse_special=True)
        head = {"id": _id("cmpl"), "object": "text_completion", "created": int(time.time()), "model": model or self.source}
        start = (prompt if isinstance(prompt, str) else self.detokenize(prompt).decode("utf-8", "replace")) if echo else ""
        if stream:
            return self._text_chunks(s.events(), head, start, suffix or "", bool(logprobs))
        logs: Dict[str, list] = {"text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": []}
        offset = len(start)
        for e in s.events():
            if e.kind == "token" and logprobs:
                one = _text_logprobs(self, e, offset)
                offset += len(one["tokens"][0])
                for k, v in one.items():
                    logs[k] += v
        r = s.result()
        choice = {
            "text": start + r.text + (suffix or ""),
            "index": 0,
            "logprobs": logs if logprobs else None,
            "finish_reason": _FINISH.get(r.finish_reason, "stop"),
        }
        return {**head, "choices": [choice], "usage": self._usage(s)}

    def _text_chunks(self: "Model", events: Iterator[Event], head: dict, start: str, suffix: str, logprobs: bool) -> Iterator[dict]:  # type: ignore[misc]
        def chunk(text: str, finish: Optional[str] = None, logs: Optional[dict] = None) -> dict:
            return {**head, "choices": [{"text": text, "index": 0, "logprobs": logs, "finish_reason": finish}]}

        if start:
            yield chunk(start)
        offset = len(start)
        for e in events:
            logs = _text_logprobs(self, e, offset) if logprobs and e.kind == "token" else None
            if logs:
                offset += len(logs["tokens"][0])
            if e.text or logs:
                yield chunk(e.text, None, logs)
            if e.kind == "done":
                yield chunk(suffix, _FINISH.get(e.finish_reason or "", "stop"))

    def __call__(self, prompt: Union[str, Sequence[int]], **options: Any) -> Union[dict, Iterator[dict]]:
        """create_completion()."""
        return self.create_completion(prompt, **options)  # type: ignore[misc]

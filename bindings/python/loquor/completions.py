"""Completions in the shape that users of OpenAI's client and of llama-cpp-python know."""

from __future__ import annotations

import json
import math
import time
import uuid
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Union

from .errors import InvalidArgument
from .sampling import make_sampler
from .session import Event, Session

if TYPE_CHECKING:
    from .model import Model

_FINISH = {"end": "stop", "stop": "stop", "length": "length", "context_full": "length", "cancelled": "stop", "callback": "stop"}


def _bytes(model: "Model", token: int) -> bytes:
    return model.detokenize([token], special=True)


def _chat_logprob(model: "Model", token: int, logprob: float) -> dict:
    raw = _bytes(model, token)
    return {"token": raw.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(raw)}


def _chat_logprobs(model: "Model", e: Event) -> dict:
    entry = _chat_logprob(model, e.token, e.logprob)
    entry["top_logprobs"] = [_chat_logprob(model, t, p) for t, p in e.top]
    return {"content": [entry], "refusal": None}


class Completions:
    """The methods of Model that return OpenAI-shaped dictionaries."""

    def _sampled(self: "Model", options: dict):  # type: ignore[misc]
        names = dict(
            temperature=0.8, top_k=40, top_p=0.95, min_p=0.05, typical_p=1.0, repeat_penalty=1.0, frequency_penalty=0.0, presence_penalty=0.0,
            logit_bias=None, seed=None,
        )
        values = {k: options.pop(k, v) for k, v in names.items()}
        values["logit_bias"] = {int(k): float(v) for k, v in (values["logit_bias"] or {}).items()}
        if options:
            raise InvalidArgument(f"unknown option: {', '.join(sorted(options))}")
        return make_sampler(**values)

    def create_chat_completion(
        self: "Model",  # type: ignore[misc]
        messages: Sequence[dict],
        *,
        stream: bool = False,
        max_tokens: Optional[int] = None,
        stop: Union[str, Sequence[str], None] = None,
        logprobs: bool = False,
        top_logprobs: Optional[int] = None,
        tools: Optional[Sequence[dict]] = None,
        n: int = 1,
        session: Optional[Session] = None,
        model: Optional[str] = None,
        user: Optional[str] = None,
        **options: Any,
    ) -> Union[dict, Iterator[dict]]:
        """As OpenAI's chat.completions.create and llama-cpp-python's method of this name. Streams chunks if asked to."""
        from .model import pack_messages

        if n != 1:
            raise InvalidArgument(f"n is {n}; only one choice is made")
        s = self._own_session() if session is None else session
        wanted = max(1, int(top_logprobs or 0)) if logprobs else 0
        s.start(
            None, messages=pack_messages(messages), max_tokens=max_tokens or 0, stop=stop or (), logprobs=wanted, sampler=self._sampled(options),
            tools_json=json.dumps(list(tools)) if tools else "",
        )
        head = {"id": f"chatcmpl-{uuid.uuid4()}", "created": int(time.time()), "model": model or self.source}
        if stream:
            return self._chat_chunks(s, head, bool(logprobs), int(top_logprobs or 0))
        entries: List[dict] = []
        for e in s.events():
            if e.kind == "token" and logprobs:
                entry = _chat_logprobs(self, e)["content"][0]
                entry["top_logprobs"] = entry["top_logprobs"][: int(top_logprobs or 0)]
                entries.append(entry)
        r = s.result()
        return {
            **head,
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": r.text},
                    "logprobs": {"content": entries, "refusal": None} if logprobs else None,
                    "finish_reason": _FINISH.get(r.finish_reason, "stop"),
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

    def _chat_chunks(self: "Model", s: Session, head: dict, logprobs: bool, top: int) -> Iterator[dict]:  # type: ignore[misc]
        def chunk(delta: dict, finish: Optional[str] = None, logs: Optional[dict] = None) -> dict:
            return {**head, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "logprobs": logs, "finish_reason": finish}]}

        yield chunk({"role": "assistant"})
        for e in s.events():
            logs = _chat_logprobs(self, e) if logprobs and e.kind == "token" else None
            if logs:
                logs["content"][0]["top_logprobs"] = logs["content"][0]["top_logprobs"][:top]
            if e.text or logs:
                yield chunk({"content": e.text}, None, logs)
            if e.kind == "done":
                yield chunk({}, _FINISH.get(e.finish_reason or "", "stop"))

    def create_completion(
        self: "Model",  # type: ignore[misc]
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
        """As OpenAI's completions.create and llama-cpp-python's method of this name: the prompt goes to the model as it is."""
        if n != 1:
            raise InvalidArgument(f"n is {n}; only one choice is made")
        s = self._own_session() if session is None else session
        s.start(prompt, max_tokens=max_tokens or 0, stop=stop or (), logprobs=logprobs or 0, sampler=self._sampled(options), parse_special=True)
        head = {"id": f"cmpl-{uuid.uuid4()}", "object": "text_completion", "created": int(time.time()), "model": model or self.source}
        start = (prompt if isinstance(prompt, str) else self.detokenize(prompt).decode("utf-8", "replace")) if echo else ""
        if stream:
            return self._text_chunks(s, head, start, suffix or "")
        logs: Dict[str, list] = {"text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": []}
        offset = len(start)
        for e in s.events():
            if e.kind != "token" or not logprobs:
                continue
            text = _bytes(self, e.token).decode("utf-8", "replace")
            logs["text_offset"].append(offset)
            logs["token_logprobs"].append(e.logprob if math.isfinite(e.logprob) else None)
            logs["tokens"].append(text)
            logs["top_logprobs"].append({_bytes(self, t).decode("utf-8", "replace"): p for t, p in e.top})
            offset += len(text)
        r = s.result()
        choice = {
            "text": start + r.text + (suffix or ""),
            "index": 0,
            "logprobs": logs if logprobs else None,
            "finish_reason": _FINISH.get(r.finish_reason, "stop"),
        }
        return {**head, "choices": [choice], "usage": self._usage(s)}

    def _text_chunks(self, s: Session, head: dict, start: str, suffix: str) -> Iterator[dict]:
        def chunk(text: str, finish: Optional[str] = None) -> dict:
            return {**head, "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}]}

        if start:
            yield chunk(start)
        for e in s.events():
            if e.text:
                yield chunk(e.text)
            if e.kind == "done":
                yield chunk(suffix, _FINISH.get(e.finish_reason or "", "stop"))

    def __call__(self, prompt: Union[str, Sequence[int]], **options: Any) -> Union[dict, Iterator[dict]]:
        """create_completion()."""
        return self.create_completion(prompt, **options)

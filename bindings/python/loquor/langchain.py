"""LangChain: a chat model and embeddings.

    from loquor.langchain import ChatLoquor, LoquorEmbeddings
    ChatLoquor(model="smollm2", max_tokens=80).invoke("Why is the sky blue?").content
    LoquorEmbeddings().embed_query("How tall is it?")

Needs the package langchain-core (pip install 'loquor[langchain]').
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Union

from langchain_core.embeddings import Embeddings
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import UsageMetadata
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from pydantic import BaseModel, ConfigDict, PrivateAttr

from .grammar import Grammar
from .model import Model
from .session import Session
from .shared import SharedEmbedder, shared_model

_SAMPLING = ("temperature", "max_tokens", "top_k", "top_p", "min_p", "repeat_penalty", "frequency_penalty", "presence_penalty", "seed")


class _Pool:
    """A model and its sessions that nobody uses now. Pickled and deep-copied as what it was made of."""

    def __init__(self, source: str, threads: int, n_ctx: int):
        self.made_of = (source, threads, n_ctx)
        self.lock = threading.Lock()
        self.model: Optional[Model] = None
        self.free: List[Session] = []

    def __reduce__(self):
        return _Pool, self.made_of

    @contextmanager
    def session(self) -> Iterator[Session]:
        source, threads, n_ctx = self.made_of
        with self.lock:
            model = self.model = self.model or shared_model(source, threads)
            session = self.free.pop() if self.free else None
        if session is None:
            session = model.session(n_ctx or min(model.info()["n_ctx_train"], 4096))
        try:
            yield session
        finally:
            with self.lock:
                self.free.append(session)


class ChatLoquor(BaseChatModel):
    """A chat model that runs in this process: invoke, stream, batch, tools, structured output.

    model         a name of loquor.models(), or the path of a GGUF file or a Hugging Face folder; loaded when it is first used
    threads       computing threads, 0 = the CPUs this process may use
    n_ctx         tokens of the context; 0 = as trained, at most 4096
    temperature   and the other options of sampling, as in Model.create_chat_completion; None: its defaults
    stop          texts that end an answer; those given to invoke() or stream() are taken instead

    Usable from several threads: each computes in a session of its own, which is kept for the next call.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    model: str = "smollm2"
    threads: int = 0
    n_ctx: int = 0
    temperature: Optional[float] = None
    max_tokens: Optional[int] = None
    top_k: Optional[int] = None
    top_p: Optional[float] = None
    min_p: Optional[float] = None
    repeat_penalty: Optional[float] = None
    frequency_penalty: Optional[float] = None
    presence_penalty: Optional[float] = None
    seed: Optional[int] = None
    stop: Optional[List[str]] = None

    _pool: Any = PrivateAttr(default=None)

    @property
    def _llm_type(self) -> str:
        return "loquor"

    @property
    def _identifying_params(self) -> Dict[str, Any]:
        return {"model": self.model, "n_ctx": self.n_ctx, "stop": self.stop, **{k: getattr(self, k) for k in _SAMPLING}}

    def _get_ls_params(self, stop: Optional[List[str]] = None, **kwargs: Any):
        return {**super()._get_ls_params(stop=stop, **kwargs), "ls_provider": "loquor", "ls_model_name": self.model}

    def _session(self):
        wanted = (self.model, self.threads, self.n_ctx)
        if self._pool is None or self._pool.made_of != wanted:  # a copy may have other fields
            self._pool = _Pool(*wanted)
        return self._pool.session()

    def _asked(self, messages: List[BaseMessage], stop: Optional[List[str]], session: Session, options: Dict[str, Any]) -> Dict[str, Any]:
        asked = {k: v for k in _SAMPLING if (v := getattr(self, k)) is not None}
        asked.update({k: v for k, v in options.items() if k != "ls_structured_output_format" and v is not None})
        if "json_schema" in asked:
            asked["grammar"] = Grammar.json_schema(asked.pop("json_schema"), compact=True, closed=True)
        return dict(asked, messages=convert_to_openai_messages(messages), stop=stop if stop is not None else self.stop, session=session)

    def _generate(self, messages: List[BaseMessage], stop: Optional[List[str]] = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        with self._session() as session:
            answer: Any = session.model.create_chat_completion(**self._asked(messages, stop, session, kwargs))
        choice, usage = answer["choices"][0], answer["usage"]
        message = AIMessage(
            content=choice["message"]["content"] or "",
            tool_calls=[_tool_call(c) for c in choice["message"].get("tool_calls") or ()],
            usage_metadata=_usage(usage["prompt_tokens"], usage["completion_tokens"]),
            response_metadata={"finish_reason": choice["finish_reason"], "model_name": self.model},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(self, messages: List[BaseMessage], stop: Optional[List[str]] = None, run_manager: Any = None, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        with self._session() as session:
            chunks: Any = session.model.create_chat_completion(stream=True, **self._asked(messages, stop, session, kwargs))
            for c in chunks:
                choice = c["choices"][0]
                delta, finish = choice["delta"], choice["finish_reason"]
                message = AIMessageChunk(
                    content=delta.get("content") or "",
                    tool_call_chunks=[
                        {"type": "tool_call_chunk", "name": t["function"]["name"], "args": t["function"]["arguments"], "id": t["id"], "index": t["index"]}
                        for t in delta.get("tool_calls") or ()
                    ],
                )
                if finish:
                    done = session.result()
                    message.usage_metadata = _usage(done.prompt_tokens, len(done.tokens))
                    message.response_metadata = {"finish_reason": finish, "model_name": self.model}
                elif not message.content and not message.tool_call_chunks:
                    continue
                piece = ChatGenerationChunk(message=message)
                if run_manager is not None and message.content:
                    run_manager.on_llm_new_token(message.content, chunk=piece)
                yield piece

    def bind_tools(self, tools: Sequence[Union[Dict[str, Any], type, Callable, Any]], *, tool_choice: Any = None, parallel_tool_calls: bool = True, **kwargs: Any) -> Runnable:
        """tool_choice: "auto", "none", "required" (also "any" or True), or a tool's name. Arguments are held to the tools' schemas."""
        if "ls_structured_output_format" in kwargs:  # with_structured_output takes the first call
            parallel_tool_calls = False
        if tool_choice is True or tool_choice == "any":
            tool_choice = "required"
        elif isinstance(tool_choice, str) and tool_choice not in ("auto", "none", "required"):
            tool_choice = {"type": "function", "function": {"name": tool_choice}}
        return self.bind(tools=[convert_to_openai_tool(t) for t in tools], tool_choice=tool_choice or None, parallel_tool_calls=parallel_tool_calls, **kwargs)

    def with_structured_output(self, schema: Any, *, include_raw: bool = False, method: str = "json_schema", **kwargs: Any) -> Runnable:
        """Answers as an object of a pydantic class, or as a dict of a JSON Schema or TypedDict.

        method   "json_schema": the text is held to the schema, with no members but its own; the model is not shown it (say in the
                 prompt what is wanted);
                 "function_calling": a tool of that schema, which it is shown
        """
        kwargs.pop("strict", None)  # it always is
        if kwargs:
            raise ValueError(f"unknown: {', '.join(sorted(kwargs))}")
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw)
        if method != "json_schema":
            raise ValueError(f"method is {method!r}; known are 'json_schema' and 'function_calling'")
        parser: Any = PydanticOutputParser(pydantic_object=schema) if isinstance(schema, type) and issubclass(schema, BaseModel) else JsonOutputParser()
        bound = self.bind(json_schema=convert_to_json_schema(schema))
        if not include_raw:
            return bound | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        return RunnableMap(raw=bound) | parsed.with_fallbacks([RunnablePassthrough.assign(parsed=lambda _: None)], exception_key="parsing_error")


def _tool_call(call: dict) -> dict:
    return {"name": call["function"]["name"], "args": json.loads(call["function"]["arguments"]), "id": call["id"], "type": "tool_call"}


def _usage(prompt: int, generated: int) -> UsageMetadata:
    return UsageMetadata(input_tokens=prompt, output_tokens=generated, total_tokens=prompt + generated)


class LoquorEmbeddings(Embeddings):
    """Vectors of length 1 by a text encoder. Usable from several threads.

    model     a name of loquor.models(), or the path of a text encoder
    threads   computing threads, 0 = the CPUs this process may use
    options   of loquor.Embedder: max_tokens, batch_tokens, normalize, pooling
    """

    def __init__(self, model: str = "minilm", threads: int = 0, **options: Any):
        self.model = model
        self._embedder = SharedEmbedder(model, threads, **options)

    def embed_documents(self, texts: List[str]) -> List[List[float]]:
        return self._embedder.embed(list(texts)).tolist()

    def embed_query(self, text: str) -> List[float]:
        return self._embedder.embed(text).tolist()

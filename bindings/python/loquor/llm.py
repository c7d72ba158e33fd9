"""A plugin for Simon Willison's `llm`: the language models and text encoders of this machine, in its command line and its Python.

    llm install loquor
    llm -m loquor/smollm2 "Why is the sky blue?" -o max_tokens 80
    llm loquor add ~/models/qwen.gguf --name qwen && llm -m loquor/qwen "Hello"
    llm embed -m loquor/minilm -c "a text"

Models are those of loquor.models() that are in the cache, and the files and folders added by `llm loquor add`, which are remembered in
loquor.json of llm's own folder. Nothing is loaded before it is used, and then kept for the process. Needs the package llm.
"""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any, Dict, Iterator, List, Optional

import click
import llm
from llm.parts import TextPart, ToolCallPart, ToolResultPart
from pydantic import Field

from . import inspect, models
from .errors import LoquorError
from .grammar import Grammar
from .shared import SharedEmbedder, shared_model

_PREFIX = "loquor/"


# -- which models there are


def _file() -> pathlib.Path:
    return llm.user_dir() / "loquor.json"


def added() -> Dict[str, str]:
    """The models added by `llm loquor add`: paths by name."""
    try:
        return {str(k): str(v) for k, v in json.loads(_file().read_text()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as e:
        raise click.ClickException(f"{_file()}: {e}") from None


def _kinds() -> Iterator[tuple]:
    """(name, source, is an encoder) of every model that is there."""
    for name, source in {**{m["name"]: m["name"] for m in models()}, **added()}.items():
        try:
            yield name, source, inspect(source)["architecture"] == "bert"
        except LoquorError:  # not fetched, moved or damaged: `llm loquor list` says so
            continue


@llm.hookimpl
def register_models(register) -> None:
    for name, source, encoder in _kinds():
        if not encoder:
            register(LoquorModel(name, source))


@llm.hookimpl
def register_embedding_models(register) -> None:
    for name, source, encoder in _kinds():
        if encoder:
            register(LoquorEmbedding(name, source))


@llm.hookimpl
def register_commands(cli) -> None:
    @cli.group(name="loquor")
    def group() -> None:
        """Models that run in this process, by loquor"""

    @group.command(name="add")
    @click.argument("path", type=click.Path(exists=True))
    @click.option("--name", help="its name after loquor/; default: the file's without its ending")
    def add(path: str, name: Optional[str]) -> None:
        """Adds a GGUF file or a Hugging Face folder"""
        path = os.path.abspath(path)
        try:
            architecture = inspect(path)["architecture"]
        except LoquorError as e:
            raise click.ClickException(str(e)) from None
        name = name or pathlib.Path(path).stem
        _file().write_text(json.dumps({**added(), name: path}, indent=1))
        click.echo(f"{_PREFIX}{name}: {architecture}, {path}")

    @group.command(name="remove")
    @click.argument("name")
    def remove(name: str) -> None:
        """Forgets a model that was added; its file stays"""
        rest = added()
        if rest.pop(name[len(_PREFIX):] if name.startswith(_PREFIX) else name, None) is None:
            raise click.ClickException(f"{name} was not added")
        _file().write_text(json.dumps(rest, indent=1))

    @group.command(name="list")
    def list_() -> None:
        """Lists the models, and what is wrong with those that cannot be used"""
        for name, source in {**{m["name"]: m["name"] for m in models()}, **added()}.items():
            try:
                click.echo(f"{_PREFIX}{name}\t{inspect(source)['architecture']}\t{source}")
            except LoquorError as e:
                click.echo(f"{_PREFIX}{name}\t-\t{e}")


# -- a language model


class _Options(llm.Options):
    max_tokens: Optional[int] = Field(description="Most tokens of the answer; default: until it ends or the context is full", default=None, ge=1)
    temperature: Optional[float] = Field(description="0: always the most probable token; default 0.2", default=None, ge=0)
    top_k: Optional[int] = Field(description="Draws among the k most probable tokens; default 40", default=None, ge=0)
    top_p: Optional[float] = Field(description="Draws among the most probable tokens of this sum; default 0.95", default=None, gt=0, le=1)
    min_p: Optional[float] = Field(description="Draws among tokens of at least this part of the largest probability; default 0.05", default=None, ge=0, le=1)
    repeat_penalty: Optional[float] = Field(description="Above 1: against repetitions", default=None, gt=0)
    seed: Optional[int] = Field(description="The same seed gives the same text", default=None)
    stop: Optional[str] = Field(description="Ends the answer before this text", default=None)
    grammar: Optional[str] = Field(description="Holds the answer to a grammar, in GBNF", default=None)
    regex: Optional[str] = Field(description="Holds the answer to a regular expression", default=None)
    n_ctx: Optional[int] = Field(description="Tokens of the context; default: as trained, at most 4096", default=None, ge=1)
    threads: Optional[int] = Field(description="Computing threads; default: all CPUs", default=None, ge=1)


class LoquorModel(llm.Model):
    """One language model: streams, calls tools, holds its answer to a schema."""

    can_stream = True
    supports_schema = True
    supports_tools = True
    Options = _Options

    def __init__(self, name: str, source: str):
        self.model_id = _PREFIX + name
        self.source = source
        self._held: Any = None  # (threads, n_ctx), Model, Session

    def _session(self, threads: int, n_ctx: int):
        if self._held is None or self._held[0] != (threads, n_ctx):
            self._held = None
            model = shared_model(self.source, threads)
            self._held = (threads, n_ctx), model, model.session(n_ctx or min(model.info()["n_ctx_train"], 4096))
        return self._held[1:]

    def execute(self, prompt, stream: bool, response, conversation=None) -> Iterator[str]:
        options = {k: v for k, v in prompt.options.model_dump().items() if v is not None}
        model, session = self._session(options.pop("threads", 0), options.pop("n_ctx", 0))
        grammar, regex = options.pop("grammar", None), options.pop("regex", None)
        if bool(grammar) + bool(regex) + bool(prompt.schema) > 1:
            raise llm.ModelError("grammar, regex and a schema: only one of them can hold")
        if prompt.tools:
            options["tools"] = [{"type": "function", "function": {"name": t.name, "description": t.description or "", "parameters": t.input_schema}} for t in prompt.tools]
        try:
            if grammar or regex:
                options["grammar"] = Grammar.gbnf(grammar) if grammar else Grammar.regex(regex)
            if prompt.schema:
                options["grammar"] = Grammar.json_schema(prompt.schema, compact=True, closed=True)
            for chunk in model.create_chat_completion(to_messages(prompt.messages), stream=True, session=session, **options):
                delta = chunk["choices"][0]["delta"]
                for call in delta.get("tool_calls") or ():
                    f = call["function"]
                    response.add_tool_call(llm.ToolCall(name=f["name"], arguments=json.loads(f["arguments"]), tool_call_id=call["id"]))
                if delta.get("content"):
                    yield delta["content"]
        except LoquorError as e:
            raise llm.ModelError(str(e)) from e
        done = session.result()
        response.set_usage(input=done.prompt_tokens, output=len(done.tokens))


def to_messages(messages) -> List[dict]:
    """llm's messages in OpenAI's shape. Attachments are refused by llm itself, reasoning is left out."""
    out: List[dict] = []
    for m in messages:
        said: Dict[str, Any] = {"role": m.role, "content": "".join(p.text for p in m.parts if isinstance(p, TextPart))}
        calls = [p for p in m.parts if isinstance(p, ToolCallPart)]
        if calls:
            said["tool_calls"] = [{"id": c.tool_call_id, "type": "function", "function": {"name": c.name, "arguments": json.dumps(c.arguments)}} for c in calls]
        results = [p for p in m.parts if isinstance(p, ToolResultPart)]
        if not results or said["content"]:
            out.append(said)
        out += [{"role": "tool", "name": r.name, "tool_call_id": r.tool_call_id, "content": r.output} for r in results]
    return out


# -- a text encoder


class LoquorEmbedding(llm.EmbeddingModel):
    """One text encoder; vectors of length 1."""

    batch_size = 64

    def __init__(self, name: str, source: str):
        self.model_id = _PREFIX + name
        self.source = source
        self._embedder: Optional[SharedEmbedder] = None

    def embed_batch(self, items, *, key=None) -> Iterator[List[float]]:
        if self._embedder is None:
            self._embedder = SharedEmbedder(self.source)
        for row in self._embedder.embed(list(items)):
            yield row.tolist()

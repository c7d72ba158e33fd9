"""Prompts composed of a role, instructions, examples and a question; and ways of asking: zero-shot, few-shot, role, chain of thought, self-consistency."""

import json
from typing import Any, Dict, List, Optional, Sequence, Union

from . import _native
from .model import Model


class Prompt:
    """What is asked, and how.

        prompt = loquor.Prompt(role="You are a teacher.", examples=[{"input": "2+2", "output": "4"}], regex="[0-9]+")
        prompt.ask(model, "3+4")["text"]

    role, instructions  who the model is, and what it is to do: the system message
    examples            dicts of "input", "output" and perhaps "reasoning" (few-shot; Brown et al. 2020)
    shots               how many of them are shown; 0 = all
    choice              which: "first", "random" (by the seed), or "nearest" to the question by the vectors of `encoder`, a text encoder's model
    reasoning_tokens    chain of thought (Wei et al. 2022): free reasoning of at most so many tokens, then the answer
    votes, temperature  self-consistency (Wang et al. 2023): so many chains are drawn, the prompt computed once; the answer is what most of them give
    choices, regex, json_schema, gbnf
                        what the answer is held to; at most one of them
    max_tokens          of the answer
    budget              of the prompt and all that follows; examples without room are left out, the first ones first, and told of. 0: what the session holds
    raw                 "Q: ...\\nA: ..." instead of the model's chat template
    One thread at a time.
    """

    def __init__(
        self,
        *,
        role: str = "",
        instructions: str = "",
        examples: Sequence[dict] = (),
        shots: int = 0,
        choice: str = "first",
        encoder: Optional[Model] = None,
        reasoning_tokens: int = 0,
        votes: int = 1,
        temperature: float = 0.7,
        seed: int = 0,
        choices: Optional[Sequence[str]] = None,
        regex: Optional[str] = None,
        json_schema: Any = None,
        gbnf: Optional[str] = None,
        max_tokens: int = 64,
        budget: int = 0,
        raw: bool = False,
    ):
        options: Dict[str, Any] = dict(
            role=role, instructions=instructions, examples=list(examples), shots=shots, choice=choice, reasoning_tokens=reasoning_tokens, votes=votes,
            temperature=temperature, seed=seed, max_tokens=max_tokens, budget=budget, raw=raw,
        )
        for name, value in (("choices", choices), ("regex", regex), ("json_schema", json_schema), ("gbnf", gbnf)):
            if value is not None:
                options[name] = list(value) if name == "choices" else value
        self._native = _native.Prompt(json.dumps(options, ensure_ascii=False), encoder._m if encoder is not None else None)
        self._session: Any = None

    def ask(self, model, question: str, *, cancel=None) -> dict:
        """Asks a Model, or a Session, whose contents are replaced.

        Returns {"text": the answer, "reasoning": of the first chain that gave it, "share": of the chains that gave it, "votes": [{"text", "count"}], "shown" and
        "dropped": indices of examples, "prompt_tokens", "generated_tokens"}.
        """
        session = model
        if isinstance(model, Model):
            if self._session is None or self._session.model is not model:
                self._session = model.session(min(model.info()["n_ctx_train"], 4096))
            session = self._session
        return json.loads(self._native.ask(session._s, question, cancel))

    def build(self, model: Model, question: str, budget: int = 0) -> dict:
        """The prompt without asking: {"text", "tokens", "shown", "dropped"}."""
        return json.loads(self._native.build(model._m, question, budget))

    def __call__(self, model, question: str) -> str:
        """The text of the answer alone."""
        return self.ask(model, question)["text"]

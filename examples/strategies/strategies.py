"""The strategies, each a function from a Setting to a function that answers a question: (text, tokens read and written)."""

import dataclasses
import time
from typing import Any

import domain
import loquor

MAX_TOKENS = 32


@dataclasses.dataclass
class Setting:
    model: Any
    domain: Any
    store: Any = None  # of the documents that are asked now
    adapter: str = ""
    tuned: dict = dataclasses.field(default_factory=dict)

    def session(self):
        s = self.model.session(1024)
        if self.adapter:
            s.set_adapters([(loquor.Adapter(self.model, self.adapter), 1.0)])
        return s


def by_prompt(setting, **options):
    prompt, session = loquor.Prompt(max_tokens=MAX_TOKENS, **options), setting.session()

    def answer(question):
        found = prompt.ask(session, question)
        return found["text"], found["prompt_tokens"] + found["generated_tokens"]

    return answer


def plain(s):
    return by_prompt(s)


def role(s):
    return by_prompt(s, role="You are the archivist of the company Veltrane, who knows its people and products and answers in a few words.")


def few_shot(s):
    return by_prompt(s, instructions=domain.SYSTEM, examples=s.domain.examples())


def chain_of_thought(s):
    return by_prompt(s, instructions=domain.SYSTEM, reasoning_tokens=60)


def lora(s):
    session = s.session()

    def answer(question):
        found = s.model.generate([{"role": "system", "content": domain.SYSTEM}, {"role": "user", "content": question}], max_tokens=MAX_TOKENS, temperature=0, session=session)
        return found.text, found.prompt_tokens + len(found.tokens)

    return answer


def by_store(s, **options):
    session = s.session()

    def answer(question):
        found = s.store.ask(session, question, max_tokens=MAX_TOKENS, **options)
        return found["text"], found["prompt_tokens"] + found["answer_tokens"]

    return answer


def rag(s):
    return by_store(s)


def lora_rag(s):
    return by_store(s, instructions=domain.FROM_SOURCES)


def lora_rag_tuned(s):
    return by_store(s, **s.tuned)


# name: (function, whether it asks the store, whether it has the adapter)
ALL = {
    "plain": (plain, False, False),
    "few-shot": (few_shot, False, False),
    "role": (role, False, False),
    "chain of thought": (chain_of_thought, False, False),
    "RAG": (rag, True, False),
    "LoRA": (lora, False, True),
    "LoRA + RAG": (lora_rag, True, True),
    "LoRA + RAG + tuned prompt": (lora_rag_tuned, True, True),
}


def tune(setting, score):
    """The instructions and the number of sources that answer most of the questions for tuning, and the seconds of finding them."""
    begin, best, most = time.perf_counter(), {}, -1.0
    for instructions in domain.INSTRUCTIONS:
        for k in (3, 6):
            options = {"instructions": instructions, "k": k}
            answer = by_store(setting, **options)
            right = sum(score(answer(q)[0], a) for q, a in setting.domain.for_tuning)
            if right > most:
                best, most = options, right
    return best, time.perf_counter() - begin

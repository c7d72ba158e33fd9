"""Loquor through its Python package, one session."""

import time


class Loquor:
    def __init__(self, model, threads, ctx):
        import loquor

        self.lib = loquor
        self.model = loquor.Model(model, threads=threads)
        self.session = self.model.session(ctx=ctx)

    def version(self):
        return {"name": "Loquor", "version": self.lib.__version__, "build": self.model.isa}

    def rewind(self, n):
        self.session.rewind(n)

    def eval(self, tokens):
        self.session.eval(tokens)

    def tokenize(self, text):
        return [int(t) for t in self.model.tokenize(text)]

    def argmax(self):
        return int(self.session.logits.argmax())

    def first_token(self, text):
        self.session.start(text, max_tokens=1)
        return self.session.step().token

    def text_prompt(self, text, n):
        """Milliseconds to the first token of an answer of n tokens, and per token after it."""
        self.session.rewind(0)
        start = time.perf_counter()
        self.session.start(text, max_tokens=n, ignore_end=True)
        made, first = 0, 0.0
        for event in self.session.events():
            if event.kind == "token":
                made += 1
                first = first or time.perf_counter() - start
        total = time.perf_counter() - start
        return {"first_ms": first * 1e3, "token_ms": (total - first) / max(1, made - 1) * 1e3,
                "prompt_tokens": self.session.result().prompt_tokens}

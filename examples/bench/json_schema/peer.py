"""One peer over the cases on standard input, a line of JSON for each; see __main__.py. Exit status 3: it is not installed.

The times include the call from Python, under a microsecond.
"""

import json
import os
import sys
import time

MAX_TIMED = 24  # texts of a case; the rest are judged only


class LLGuidance:
    def __init__(self, tokenizer):
        import llguidance.hf
        import llguidance.numpy

        self.module, self.numpy = llguidance, llguidance.numpy
        self.vocabulary = llguidance.hf.from_tokenizer(tokenizer)
        self.mask = llguidance.numpy.allocate_token_bitmask(1, self.vocabulary.vocab_size)

    def compile(self, schema):
        grammar = self.module.LLMatcher.grammar_from_json_schema(json.dumps(schema))
        error = self.module.LLMatcher.validate_grammar(grammar, self.vocabulary)
        if error:
            raise ValueError(error)
        return self.module.LLMatcher(self.vocabulary, grammar)

    def start(self, matcher):
        return matcher.deep_copy()  # reset() does not bring back one that refused a token

    def fill(self, matcher):
        self.numpy.fill_next_token_bitmask(matcher, self.mask, 0)

    def take(self, matcher, token):
        return matcher.consume_token(token)

    def ended(self, matcher):
        return matcher.is_accepting()


class XGrammar:
    def __init__(self, tokenizer):
        import xgrammar

        self.module = xgrammar
        self.info = xgrammar.TokenizerInfo.from_huggingface(tokenizer)
        self.mask = xgrammar.allocate_token_bitmask(1, self.info.vocab_size)
        self.stop = self.info.stop_token_ids[0]

    def compile(self, schema):
        # A compiler of its own for each schema, without its cache: masks are then made for the first time.
        return self.module.GrammarCompiler(self.info, max_threads=1, cache_enabled=False).compile_json_schema(json.dumps(schema), strict_mode=False)

    def start(self, compiled):
        return self.module.GrammarMatcher(compiled)

    def fill(self, matcher):
        matcher.fill_next_token_bitmask(self.mask)

    def take(self, matcher, token):
        return matcher.accept_token(token)

    def ended(self, matcher):
        return matcher.accept_token(self.stop)


def walk(engine, compiled, ids):
    """Microseconds of mask and token for each token, or None where the text is not taken."""
    matcher, times = engine.start(compiled), []
    for i in ids:
        begin = time.perf_counter()
        engine.fill(matcher)
        taken = engine.take(matcher, i)
        times.append((time.perf_counter() - begin) * 1e6)
        if not taken:
            return None
    return times if engine.ended(matcher) else None


def run(engine, tokenizer, case):
    begin = time.perf_counter()
    try:
        compiled = engine.compile(case["schema"])
    except Exception as e:  # every engine has kinds of its own
        return {"refused": str(e)}
    out = {"ms": (time.perf_counter() - begin) * 1e3, "taken": [], "times": []}
    for k, text in enumerate(case["texts"]):
        ids = tokenizer.encode(text, add_special_tokens=False)
        first = walk(engine, compiled, ids)
        out["taken"].append(first is not None)
        out["times"].append((first, walk(engine, compiled, ids)) if first and k < MAX_TIMED else None)
    return out


def main():
    kind = {"llguidance": LLGuidance, "xgrammar": XGrammar}[sys.argv[1]]
    try:
        import transformers

        tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.dirname(sys.argv[2]), gguf_file=os.path.basename(sys.argv[2]))
        engine = kind(tokenizer)
    except ImportError:
        sys.exit(3)
    for case in json.load(sys.stdin):
        print(json.dumps(run(engine, tokenizer, case)), flush=True)


if __name__ == "__main__":
    main()

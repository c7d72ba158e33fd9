"""llama.cpp through its C functions (llama-cpp-python's ctypes): no Python of that package is inside a timed loop."""

import ctypes
import importlib.util
import sys
import time
import types


def low_level():
    """The module of C functions alone: the package's own classes would be imported first, and take longer to load."""
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None:
            raise ModuleNotFoundError("llama-cpp-python is not installed for this interpreter")
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["llama_cpp"] = package
    import llama_cpp.llama_cpp

    return sys.modules["llama_cpp.llama_cpp"]


class LlamaCpp:
    """One model and one context. n_seq > 1: that many sequences share ctx tokens, for batched decoding."""

    def __init__(self, model, threads, ctx, n_seq=1, flash_attn=None):
        self.lib = lib = low_level()
        quiet = lib.llama_log_callback(lambda level, text, user: None)
        self.quiet = quiet  # the library keeps a pointer to it
        lib.llama_log_set(quiet, ctypes.c_void_p(0))
        lib.llama_backend_init()
        self.m = lib.llama_model_load_from_file(model.encode(), lib.llama_model_default_params())
        if not self.m:
            raise RuntimeError(f"llama.cpp does not load {model}")
        cp = lib.llama_context_default_params()
        cp.n_ctx, cp.n_batch, cp.n_ubatch, cp.n_seq_max = ctx, 512, 512, n_seq
        cp.n_threads = cp.n_threads_batch = threads
        if flash_attn is not None:
            cp.flash_attn_type = flash_attn  # -1: where it can (the default), 0: never, 1: always
        self.c = lib.llama_init_from_model(self.m, cp)
        if not self.c:
            raise RuntimeError("llama.cpp makes no context")
        self.greedy = None
        self.memory = lib.llama_get_memory(self.c)
        self.vocab = lib.llama_model_get_vocab(self.m)
        self.n_vocab = lib.llama_vocab_n_tokens(self.vocab)

    def version(self):
        from importlib.metadata import version

        info = self.lib.llama_print_system_info().decode()
        return {"name": "llama.cpp", "version": f"llama-cpp-python {version('llama-cpp-python')}", "build": info}

    def rewind(self, n):
        if n == 0:
            self.lib.llama_memory_clear(self.memory, False)
        else:
            self.lib.llama_memory_seq_rm(self.memory, 0, n, -1)

    def eval(self, tokens):
        for i in range(0, len(tokens), 512):  # llama_decode ends the process when given more than n_batch tokens
            part = tokens[i : i + 512]
            arr = (self.lib.llama_token * len(part))(*part)
            if self.lib.llama_decode(self.c, self.lib.llama_batch_get_one(arr, len(part))) != 0:
                raise RuntimeError("llama_decode failed")

    def tokenize(self, text):
        raw = text.encode()
        out = (self.lib.llama_token * (len(raw) + 8))()
        n = self.lib.llama_tokenize(self.vocab, raw, len(raw), out, len(out), True, True)
        return list(out[:n])

    def chain(self, *samplers):
        chain = self.lib.llama_sampler_chain_init(self.lib.llama_sampler_chain_default_params())
        for s in samplers:
            self.lib.llama_sampler_chain_add(chain, s)
        return chain

    def argmax(self):
        if not self.greedy:
            self.greedy = self.chain(self.lib.llama_sampler_init_greedy())
        return self.lib.llama_sampler_sample(self.greedy, self.c, -1)

    def first_token(self, text):
        self.eval(self.tokenize(text))
        return self.argmax()

    def batch(self, entries):
        """A filled llama_batch of (token, position, sequence, wants logits); free it with lib.llama_batch_free."""
        b = self.lib.llama_batch_init(len(entries), 0, 1)
        b.n_tokens = len(entries)
        for i, (token, pos, seq, out) in enumerate(entries):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = token, pos, 1, seq, out
        return b

    def decode_batch(self, n_seq, n):
        """Tokens a second of n steps of n_seq sequences together, from one token each."""
        self.rewind(0)
        b = self.batch([(100 + 31 * s, 0, s, True) for s in range(n_seq)])
        self.lib.llama_decode(self.c, b)
        start = time.perf_counter()
        for step in range(n):
            for s in range(n_seq):
                b.token[s], b.pos[s] = 100 + (step * n_seq + s) * 7919 % 40000, step + 1
            if self.lib.llama_decode(self.c, b) != 0:
                raise RuntimeError("llama_decode failed")
        took = time.perf_counter() - start
        self.lib.llama_batch_free(b)
        return n_seq * n / took

    def sampling_us(self, reps, seed=1):
        """Microseconds of llama_sampler_sample, median: filling the candidates, top-k 40, top-p 0.95, temperature 0.8, drawing. In
        the place of the model's scores are such as bench_sampling makes: normal, deviation 3, and 30 tokens far above."""
        import random

        lib, rng = self.lib, random.Random(seed)
        self.rewind(0)
        self.eval([1])
        scores = lib.llama_get_logits_ith(self.c, -1)
        for i in range(self.n_vocab):
            scores[i] = rng.gauss(0.0, 3.0)
        for _ in range(30):
            scores[rng.randrange(self.n_vocab)] = rng.uniform(9.0, 19.0)
        chain = self.chain(lib.llama_sampler_init_top_k(40), lib.llama_sampler_init_top_p(0.95, 1),
                           lib.llama_sampler_init_temp(0.8), lib.llama_sampler_init_dist(seed))
        times = []
        for _ in range(reps + 32):
            start = time.perf_counter()
            lib.llama_sampler_sample(chain, self.c, -1)
            times.append(time.perf_counter() - start)
        lib.llama_sampler_free(chain)
        return sorted(times[32:])[reps // 2] * 1e6

    def all_logits(self, tokens):
        """The scores after each of at most 512 tokens, float32 (len(tokens), n_vocab): a view, until the next call."""
        import numpy

        self.rewind(0)
        b = self.batch([(t, i, 0, True) for i, t in enumerate(tokens)])
        status = self.lib.llama_decode(self.c, b)
        self.lib.llama_batch_free(b)
        if status != 0:
            raise RuntimeError("llama_decode failed")
        return numpy.ctypeslib.as_array(self.lib.llama_get_logits(self.c), shape=(len(tokens), self.n_vocab))

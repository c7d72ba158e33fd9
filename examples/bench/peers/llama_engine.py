"""llama.cpp through its C functions (llama-cpp-python's ctypes): no Python of that package is inside a timed loop."""

import ctypes


class LlamaCpp:
    """One model and one context. n_seq > 1: that many sequences share ctx tokens, for batched decoding."""

    def __init__(self, model, threads, ctx, n_seq=1, flash_attn=None):
        import llama_cpp
        import numpy

        self.lib, self.np = llama_cpp, numpy
        quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)
        self.quiet = quiet  # the library keeps a pointer to it
        llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        mp = llama_cpp.llama_model_default_params()
        self.m = llama_cpp.llama_model_load_from_file(model.encode(), mp)
        if not self.m:
            raise RuntimeError(f"llama.cpp does not load {model}")
        cp = llama_cpp.llama_context_default_params()
        cp.n_ctx, cp.n_batch, cp.n_ubatch, cp.n_seq_max = ctx, 512, 512, n_seq
        cp.n_threads = cp.n_threads_batch = threads
        if flash_attn is not None and hasattr(cp, "flash_attn_type"):
            cp.flash_attn_type = 1 if flash_attn else 0
        self.c = llama_cpp.llama_init_from_model(self.m, cp)
        self.vocab = llama_cpp.llama_model_get_vocab(self.m)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)

    def version(self):
        info = self.lib.llama_print_system_info().decode()
        return {"name": "llama.cpp", "version": f"llama-cpp-python {self.lib.__version__}", "build": info}

    def reset(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.c), False)

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

    def logits(self):
        p = self.lib.llama_get_logits_ith(self.c, -1)
        return self.np.ctypeslib.as_array(p, shape=(self.n_vocab,))

    def argmax(self):
        return int(self.logits().argmax())

    def batch(self, entries):
        """A filled llama_batch of (token, position, sequence, wants logits); free it with lib.llama_batch_free."""
        b = self.lib.llama_batch_init(len(entries), 0, 1)
        b.n_tokens = len(entries)
        for i, (token, pos, seq, out) in enumerate(entries):
            b.token[i], b.pos[i], b.n_seq_id[i], b.seq_id[i][0], b.logits[i] = token, pos, 1, seq, out
        return b

    def all_logits(self, tokens):
        """The scores after each of at most 512 tokens, float32 (len(tokens), n_vocab): a view, until the next call."""
        self.reset()
        b = self.batch([(t, i, 0, True) for i, t in enumerate(tokens)])
        status = self.lib.llama_decode(self.c, b)
        self.lib.llama_batch_free(b)
        if status != 0:
            raise RuntimeError("llama_decode failed")
        return self.np.ctypeslib.as_array(self.lib.llama_get_logits(self.c), shape=(len(tokens), self.n_vocab))

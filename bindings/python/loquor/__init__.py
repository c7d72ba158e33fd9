"""Loquor: language models inside your own program.

    import loquor
    model = loquor.Model("smollm2")
    print(model.generate("Why is the sky blue?", max_tokens=100))
    for piece in model.chat([{"role": "user", "content": "Tell me a story."}], stream=True):
        print(piece, end="", flush=True)
"""

from . import _native
from .embedding import Embedder
from .errors import (
    BadFile,
    Cancelled,
    ContextFull,
    Forked,
    InputOutputError,
    Internal,
    InvalidArgument,
    LimitReached,
    LoquorError,
    Mismatch,
    NotFound,
    OutOfMemory,
    TemplateError,
    Unsupported,
)
from .grammar import Grammar, tool_calls
from .model import Chat, Model
from .sampling import Sampler
from .session import Adapter, Event, PrefixCache, Result, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .evaluation import gsm8k, mmlu, mmlu_subjects, multiple_choice
    from .prompt import Prompt
    from .store import Store, read_document
    from .tuning import finetune

Cancel = _native.Cancel
__version__: str = _native.version


def models() -> list:
    """The models known by a short name: name, title, file, bytes, sha256, licence, source."""
    return _native.catalogue()


def isas() -> list:
    """The instruction sets this CPU can run, best first."""
    return _native.isa_list().split(",")


def inspect(source) -> dict:
    """What is in a model file, without loading its weights."""
    import json
    import os

    return json.loads(_native.inspect_json(os.fspath(source)))


def quantize(source, target, type, *, head="", threads=0, progress=None, cancel=None) -> dict:
    """Writes the GGUF file `target`: `source` with its weights in another type.

    source    a name of models(), or the path of a GGUF file, quantised or not, or of a Hugging Face folder
    target    replaced only when the new file is complete
    type      "F32", "F16", "BF16", "Q8_0", "Q4_0" or "Q4_1"
    head      type of the tensor that makes the logits; default: "Q8_0" for a 4-bit type, else the type
    threads   computing threads, 0 = the CPUs this process may use
    progress  called with the fraction that is done; return False to stop
    Returns what was done: tensors, converted, requantized, odd, head, source_bytes, target_bytes (see lq_quantize_result).
    """
    import os

    return _native.quantize(os.fspath(source), os.fspath(target), type, head, threads, progress, cancel, None)


def merge(source, adapters, target, type="", *, head="", threads=0, progress=None, cancel=None) -> dict:
    """Writes the GGUF file `target`: `source` with LoRA adapters added to its weights.

    source    as in quantize()
    adapters  a PEFT folder or a GGUF file, or a list of them or of (path, scale)
    target    replaced only when the new file is complete
    type      as in quantize(); "": each tensor keeps its own (what adapters change and cannot be written in its own becomes Q8_0). The sums are
              rounded to it: in F16 or Q8_0 next to nothing is lost, in 4 bits small changes may be
    head, threads, progress, cancel   as in quantize()
    Returns what was done, "merged" being the number of matrices that the adapters changed.
    """
    import os

    if isinstance(adapters, (str, os.PathLike)):
        adapters = [adapters]
    pairs = [(os.fspath(a[0]), float(a[1])) if isinstance(a, (tuple, list)) else (os.fspath(a), 1.0) for a in adapters]
    return _native.quantize(os.fspath(source), os.fspath(target), type, head, threads, progress, cancel, pairs)


# Imported when they are first asked for: they need json, csv or NumPy, which a program that only generates does not.
_LATER = {
    "Prompt": "prompt", "Store": "store", "finetune": "tuning", "gsm8k": "evaluation", "mmlu": "evaluation", "mmlu_subjects": "evaluation", "multiple_choice": "evaluation",
    "read_document": "store",
}


def __getattr__(name: str):
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module("." + module, __name__), name)
    return value


__all__ = [
    "Adapter", "BadFile", "Cancel", "Cancelled", "Chat", "ContextFull", "Embedder", "Event", "Forked", "Grammar", "InputOutputError", "Internal", "InvalidArgument",
    "LimitReached", "LoquorError", "Mismatch", "Model", "NotFound", "OutOfMemory", "PrefixCache", "Prompt", "Result", "Sampler", "Session", "Store", "TemplateError",
    "Unsupported", "finetune", "gsm8k", "inspect", "isas", "merge", "mmlu", "mmlu_subjects", "models", "multiple_choice", "quantize", "read_document", "tool_calls",
]

"""Loquor: language models inside your own program.

    import loquor
    model = loquor.Model("smollm2")
    print(model.generate("Why is the sky blue?", max_tokens=100))
    for piece in model.chat([{"role": "user", "content": "Tell me a story."}], stream=True):
        print(piece, end="", flush=True)
"""

from . import _native
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
from .model import Chat, Model
from .sampling import Sampler
from .session import Event, Result, Session

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


__all__ = [
    "BadFile", "Cancel", "Cancelled", "Chat", "ContextFull", "Event", "Forked", "InputOutputError", "Internal", "InvalidArgument",
    "LimitReached", "LoquorError", "Mismatch", "Model", "NotFound", "OutOfMemory", "Result", "Sampler", "Session", "TemplateError",
    "Unsupported", "inspect", "isas", "models",
]

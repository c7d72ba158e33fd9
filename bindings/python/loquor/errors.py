"""What can go wrong. Every failure of the library is a LoquorError; some are also the built-in class one would expect."""

from . import _native


class LoquorError(Exception):
    """Base class. `status` is the name of the C status ("bad_file")."""

    status = "unknown"


class InvalidArgument(LoquorError, ValueError):
    """An argument outside its documented domain."""


class NotFound(LoquorError, FileNotFoundError):
    """A file, model name, key or sampling stage that does not exist."""

    def __str__(self):  # OSError would print a tuple
        return str(self.args[0]) if self.args else ""


class InputOutputError(LoquorError, OSError):
    """The operating system refused or failed a read or write."""

    def __str__(self):
        return str(self.args[0]) if self.args else ""


class BadFile(LoquorError):
    """A malformed, truncated or corrupt file."""


class Unsupported(LoquorError):
    """Well-formed, but of a kind this build does not know."""


class OutOfMemory(LoquorError, MemoryError):
    """An allocation failed, or a cap would be exceeded."""


class ContextFull(LoquorError):
    """No room left in the session's context."""


class Cancelled(LoquorError):
    """Stopped by cancel() or by a callback."""


class LimitReached(LoquorError):
    """A bound of a sandbox was reached (template steps, nesting, sizes)."""


class Mismatch(LoquorError):
    """A saved state that belongs to another model or version."""


class TemplateError(LoquorError):
    """The chat template is wrong, or raised an exception of its own."""


class Forked(LoquorError):
    """An object made before fork(), used in the child."""


class Internal(LoquorError):
    """A defect of the library; please report it."""


_CLASSES = {
    "invalid_argument": InvalidArgument,
    "not_found": NotFound,
    "io": InputOutputError,
    "bad_file": BadFile,
    "unsupported": Unsupported,
    "out_of_memory": OutOfMemory,
    "context_full": ContextFull,
    "cancelled": Cancelled,
    "limit": LimitReached,
    "mismatch": Mismatch,
    "template": TemplateError,
    "forked": Forked,
    "internal": Internal,
    "buffer_too_small": Internal,
}
for _name, _class in _CLASSES.items():
    _class.status = _name
_native.error_classes.update(_CLASSES)

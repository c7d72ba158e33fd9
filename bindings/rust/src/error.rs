//! Errors: what kind of thing went wrong, and a message that says where.

use crate::ffi;
use std::fmt;
use std::io;

/// What every fallible call of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of thing went wrong: the status codes of the C interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Outside the documented domain.
    InvalidArgument,
    /// A file, model name, metadata key or token that does not exist.
    NotFound,
    /// The operating system refused or failed a read, write, map or rename.
    Io,
    /// Malformed, truncated or corrupt input.
    BadFile,
    /// Well-formed, but of a kind that this build does not know.
    Unsupported,
    /// An allocation failed, or the caller's cap would be exceeded.
    OutOfMemory,
    /// No room left in the session's context.
    ContextFull,
    /// Stopped by a cancel handle or a callback.
    Cancelled,
    /// A bound of a sandbox was reached: steps, nesting, output or input size.
    Limit,
    /// A state that belongs to another model or version; also a library of another ABI version.
    Mismatch,
    /// The chat template is wrong or raised an exception of its own.
    Template,
    /// A handle of the parent process used in a child made by `fork()`.
    Forked,
    /// A defect of the library; please report it with the message.
    Internal,
    /// A code of a newer library that this crate does not know.
    Other(i32),
}

const KINDS: [(ErrorKind, i32, &str); 13] = [
    (ErrorKind::InvalidArgument, ffi::LQ_ERR_INVALID_ARGUMENT, "invalid_argument"),
    (ErrorKind::NotFound, ffi::LQ_ERR_NOT_FOUND, "not_found"),
    (ErrorKind::Io, ffi::LQ_ERR_IO, "io"),
    (ErrorKind::BadFile, ffi::LQ_ERR_BAD_FILE, "bad_file"),
    (ErrorKind::Unsupported, ffi::LQ_ERR_UNSUPPORTED, "unsupported"),
    (ErrorKind::OutOfMemory, ffi::LQ_ERR_OUT_OF_MEMORY, "out_of_memory"),
    (ErrorKind::ContextFull, ffi::LQ_ERR_CONTEXT_FULL, "context_full"),
    (ErrorKind::Cancelled, ffi::LQ_ERR_CANCELLED, "cancelled"),
    (ErrorKind::Limit, ffi::LQ_ERR_LIMIT, "limit"),
    (ErrorKind::Mismatch, ffi::LQ_ERR_MISMATCH, "mismatch"),
    (ErrorKind::Template, ffi::LQ_ERR_TEMPLATE, "template_error"),
    (ErrorKind::Forked, ffi::LQ_ERR_FORKED, "forked"),
    (ErrorKind::Internal, ffi::LQ_ERR_INTERNAL, "internal"),
];

impl ErrorKind {
    /// The kind of an `lq_status`.
    pub(crate) fn of(status: i32) -> ErrorKind {
        KINDS.iter().find(|k| k.1 == status).map_or(ErrorKind::Other(status), |k| k.0)
    }

    /// The `lq_status` of the C interface, a negative number.
    pub fn status(self) -> i32 {
        match self {
            ErrorKind::Other(status) => status,
            _ => KINDS.iter().find(|k| k.0 == self).map_or(ffi::LQ_ERR_INTERNAL, |k| k.1),
        }
    }

    /// The name that the C interface and all its bindings have for it: "not_found".
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|k| k.0 == self).map_or("unknown", |k| k.2)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed call: its kind, and a message that names what was being done, where, and the value seen.
///
/// ```
/// use loquor::{ErrorKind, Grammar};
/// let error = Grammar::from_regex("(").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
/// println!("{error}");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { kind, message: message.into() }
    }

    /// Of the call that has just failed on this thread.
    pub(crate) fn last(status: i32) -> Error {
        // SAFETY: the message is valid until the next failing call on this thread.
        let message = unsafe { crate::util::string(ffi::lq_last_error()) };
        Error { kind: ErrorKind::of(status), message }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The library's message, without the kind.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Error {}

/// For functions that return [`io::Result`]. The error is kept inside.
impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        let kind = match e.kind {
            ErrorKind::InvalidArgument => io::ErrorKind::InvalidInput,
            ErrorKind::NotFound => io::ErrorKind::NotFound,
            ErrorKind::BadFile | ErrorKind::Mismatch => io::ErrorKind::InvalidData,
            ErrorKind::Unsupported => io::ErrorKind::Unsupported,
            ErrorKind::OutOfMemory => io::ErrorKind::OutOfMemory,
            // Not Interrupted for Cancelled: readers and writers of the standard library try that again for ever.
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_the_library() {
        for (kind, status, name) in KINDS {
            assert_eq!(ErrorKind::of(status), kind);
            assert_eq!(kind.status(), status);
            // SAFETY: a constant.
            assert_eq!(unsafe { crate::util::string(ffi::lq_status_name(status)) }, name);
        }
        assert_eq!(ErrorKind::of(-999).status(), -999);
    }

    #[test]
    fn errors_become_io_errors() {
        let e = io::Error::from(Error::new(ErrorKind::NotFound, "no such model"));
        assert_eq!(e.kind(), io::ErrorKind::NotFound);
        assert_eq!(e.to_string(), "not_found: no such model");
        assert!(e.get_ref().unwrap().is::<Error>());
    }
}

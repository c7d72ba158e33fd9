//! Contexts: threads, instruction set and log, in which models are loaded.

use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::util::{check, optional, pointer, string, text, Handle};
use std::fmt;
use std::os::raw::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

/// How grave a message of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

type LogFn = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

/// The threads and the instruction set of a [`Context`]. The defaults are good.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// use loquor::{ContextOptions, LoadOptions};
/// let context = ContextOptions::new().threads(4).log(|level, message| eprintln!("{level:?}: {message}")).create()?;
/// let model = LoadOptions::new().context(&context).load("smollm2")?;
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct ContextOptions {
    threads: u32,
    spin_us: u32,
    affinity: Vec<i32>,
    isa: Option<String>,
    log: Option<LogFn>,
}

impl fmt::Debug for ContextOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextOptions")
            .field("threads", &self.threads)
            .field("spin_us", &self.spin_us)
            .field("affinity", &self.affinity)
            .field("isa", &self.isa)
            .field("log", &self.log.is_some())
            .finish()
    }
}

impl ContextOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Computing threads, the caller's included; 0: the CPUs that this process may use.
    pub fn threads(mut self, n: u32) -> Self {
        self.threads = n;
        self
    }

    /// How long an idle thread spins before it sleeps, in microseconds; 0: 50.
    pub fn spin_us(mut self, us: u32) -> Self {
        self.spin_us = us;
        self
    }

    /// CPU numbers for the worker threads, used round robin; none: not pinned.
    pub fn affinity(mut self, cpus: impl Into<Vec<i32>>) -> Self {
        self.affinity = cpus.into();
        self
    }

    /// The instruction set, one of [`isa_list`]: "avx2", "scalar"; the best of this CPU if it isn't said.
    pub fn isa(mut self, name: impl Into<String>) -> Self {
        self.isa = Some(name.into());
        self
    }

    /// Where messages go; nowhere if it isn't said. May be called from any thread that is inside a call. A panic in it is
    /// swallowed, for there is no one to whom it could go.
    pub fn log(mut self, f: impl Fn(LogLevel, &str) + Send + Sync + 'static) -> Self {
        self.log = Some(Box::new(f));
        self
    }

    /// Makes the context. Errors: `Unsupported` for an instruction set that this CPU or the library lacks, `Mismatch` for a
    /// library of another ABI version.
    pub fn create(self) -> Result<Context> {
        // SAFETY: no arguments.
        let found = unsafe { ffi::lq_abi_version() };
        if found != ffi::LQ_ABI_VERSION {
            let message = format!("the library has ABI version {found}, this crate needs {}", ffi::LQ_ABI_VERSION);
            return Err(Error::new(ErrorKind::Mismatch, message));
        }
        let isa = optional(self.isa.as_deref(), "the instruction set")?;
        let log = self.log.map(Box::new);
        let mut o = ffi::lq_context_options {
            threads: self.threads,
            spin_us: self.spin_us,
            affinity: if self.affinity.is_empty() { std::ptr::null() } else { self.affinity.as_ptr() },
            affinity_count: self.affinity.len(),
            isa: pointer(&isa),
            ..ffi::LQ_CONTEXT_OPTIONS_INIT
        };
        if let Some(f) = &log {
            o.log = Some(on_log);
            o.log_user = (&**f as *const LogFn).cast_mut().cast();
        }
        // SAFETY: the options live until the call returns, the log as long as what is made here.
        let raw = Handle::make(ffi::lq_context_free, |out| unsafe { ffi::lq_context_create(out, &o) })?;
        Ok(Context { inner: Arc::new(Inner { raw, _log: log }) })
    }
}

unsafe extern "C" fn on_log(level: ffi::lq_log_level, message: *const c_char, user: *mut c_void) {
    // SAFETY: `user` is the box that the context's `Inner` holds, which outlives all that may log; the message is
    // NUL-terminated and borrowed for the call.
    let (f, message) = unsafe { (&*user.cast::<LogFn>(), string(message)) };
    let level = match level {
        ffi::LQ_LOG_DEBUG => LogLevel::Debug,
        ffi::LQ_LOG_INFO => LogLevel::Info,
        ffi::LQ_LOG_WARNING => LogLevel::Warning,
        _ => LogLevel::Error,
    };
    let _ = catch_unwind(AssertUnwindSafe(|| f(level, &message)));
}

struct Inner {
    raw: Handle<ffi::lq_context>, // dropped before the log that it may call
    _log: Option<Box<LogFn>>,
}

/// Threads, memory, log and instruction set: what models are loaded in. Models that share a context share its threads, which
/// serve one call at a time.
///
/// `Send` and `Sync`. A clone is another reference to the same context; it ends with the last of them, models and their
/// sessions included.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
}

// SAFETY: contexts are immutable, and every call on one may come from any thread at any time (lq_base.h).
unsafe impl Sync for Inner {}

impl Context {
    /// A context with the defaults: all CPUs, the best instruction set, no log.
    pub fn new() -> Result<Context> {
        ContextOptions::new().create()
    }

    pub(crate) fn raw(&self) -> *mut ffi::lq_context {
        self.inner.raw.raw()
    }

    /// The number of computing threads.
    pub fn threads(&self) -> Result<u32> {
        let mut n = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_context_threads(&mut n, self.raw()) })?;
        Ok(n)
    }

    /// The instruction set in use: "avx2".
    pub fn isa(&self) -> Result<String> {
        let mut name = std::ptr::null();
        // SAFETY: as above; the name is borrowed from the context, which lives as long as `self`.
        unsafe {
            check(ffi::lq_context_isa(&mut name, self.raw()))?;
            Ok(string(name))
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("isa", &self.isa().ok()).field("threads", &self.threads().ok()).finish()
    }
}

/// The version of the library that is running: "0.1.0".
pub fn version() -> String {
    // SAFETY: a constant.
    unsafe { string(ffi::lq_version()) }
}

/// The instruction sets that this CPU and the library support, best first.
pub fn isa_list() -> Result<Vec<String>> {
    // SAFETY: a buffer of the given capacity.
    let list = text(|out, capacity, length| unsafe { ffi::lq_isa_list(out, capacity, length) })?;
    Ok(list.split(',').map(String::from).collect())
}

//! Stopping what runs, from another thread.

use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::model::ModelInner;
use crate::util::{check, Handle};
use std::fmt;
use std::sync::{Arc, Weak};

/// A flag that stops loading, generation and embedding from outside: give it to the options of any number of calls.
///
/// `Send` and `Sync`; clones are the same flag.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// # let model = loquor::Model::load("smollm2")?;
/// use loquor::{CancelToken, ErrorKind, GenerateOptions};
/// let token = CancelToken::new()?;
/// let options = GenerateOptions::new().cancel(&token);
/// std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_secs(1));
///     token.cancel();
/// });
/// match model.session()?.generate("Once upon a time", &options) {
///     Err(e) if e.kind() == ErrorKind::Cancelled => println!("enough"),
///     other => println!("{}", other?.text),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CancelToken {
    inner: Arc<Inner>,
}

struct Inner(Handle<ffi::lq_cancel>);

// SAFETY: every call on a cancel handle may come from any thread at any time (lq_base.h).
unsafe impl Sync for Inner {}

impl CancelToken {
    /// A flag that is not set. Errors: `OutOfMemory`.
    pub fn new() -> Result<CancelToken> {
        // SAFETY: an out-parameter.
        let raw = Handle::make(ffi::lq_cancel_free, |out| unsafe { ffi::lq_cancel_create(out) })?;
        Ok(CancelToken { inner: Arc::new(Inner(raw)) })
    }

    pub(crate) fn raw(&self) -> *mut ffi::lq_cancel {
        self.inner.0.raw()
    }

    /// Makes every call that was given this flag fail with `Cancelled`, within one token or 20 ms. Stays set until
    /// [`reset`](CancelToken::reset).
    pub fn cancel(&self) {
        // SAFETY: a live handle. It cannot fail for one, but in a child of fork(), where there is nothing to stop.
        unsafe { ffi::lq_cancel_trigger(self.raw()) };
    }

    /// Makes the flag usable again.
    pub fn reset(&self) {
        // SAFETY: as above.
        unsafe { ffi::lq_cancel_reset(self.raw()) };
    }

    /// Whether it is set.
    pub fn is_cancelled(&self) -> bool {
        let mut set = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_cancel_is_set(&mut set, self.raw()) }).is_ok() && set != 0
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish()
    }
}

pub(crate) fn raw(token: &Option<CancelToken>) -> *mut ffi::lq_cancel {
    token.as_ref().map_or(std::ptr::null_mut(), CancelToken::raw)
}

/// Cancels a session from another thread: the call that is running on it, or else the next one, fails with `Cancelled`, within one
/// token or 20 ms. The session can be used again afterwards.
///
/// `Send` and `Sync`. It keeps nothing alive.
#[derive(Clone)]
pub struct SessionCanceller {
    raw: *mut ffi::lq_session, // a checked number, which may be that of a session that is gone
    model: Weak<ModelInner>,
}

// SAFETY: lq_session_cancel may be called from any thread at any time, for a session that is gone too.
unsafe impl Send for SessionCanceller {}
// SAFETY: as above.
unsafe impl Sync for SessionCanceller {}

impl SessionCanceller {
    pub(crate) fn new(raw: *mut ffi::lq_session, model: &Arc<ModelInner>) -> Self {
        SessionCanceller { raw, model: Arc::downgrade(model) }
    }

    /// Errors: `InvalidArgument` if the session is gone.
    pub fn cancel(&self) -> Result<()> {
        // A session that is dropped during the call is destroyed by it: the model, its bytes and the log must outlive that.
        let Some(_model) = self.model.upgrade() else {
            return Err(Error::new(ErrorKind::InvalidArgument, "cancel: the session and its model are gone"));
        };
        // SAFETY: any number will do.
        check(unsafe { ffi::lq_session_cancel(self.raw) })
    }
}

impl fmt::Debug for SessionCanceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCanceller").finish_non_exhaustive()
    }
}

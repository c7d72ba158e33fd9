//! Stages of a sampler: by name, or of the host.

use crate::error::Result;
use crate::ffi;
use crate::tokens::Token;
use crate::util::{check, cstring, slice, Callback, Handle};
use std::fmt;
use std::ops::{ControlFlow, Deref, DerefMut};
use std::os::raw::{c_int, c_void};
use std::sync::{Arc, Mutex, PoisonError};

/// A token that may come next, and its score.
// Neither Clone nor constructible outside: a stage can only pass on what it was given, so no token is outside the vocabulary.
#[derive(Debug, PartialEq)]
#[repr(C)]
pub struct Candidate {
    token: Token,
    /// The score; negative infinity forbids the token.
    pub logit: f32,
}

const _: () = assert!(
    std::mem::size_of::<Candidate>() == std::mem::size_of::<ffi::lq_candidate>()
        && std::mem::align_of::<Candidate>() == std::mem::align_of::<ffi::lq_candidate>()
        && std::mem::offset_of!(Candidate, token) == std::mem::offset_of!(ffi::lq_candidate, token)
        && std::mem::offset_of!(Candidate, logit) == std::mem::offset_of!(ffi::lq_candidate, logit)
);

impl Candidate {
    /// Which token.
    pub fn token(&self) -> Token {
        self.token
    }
}

/// The tokens that may come next: a slice that can be changed, reordered and made shorter.
#[derive(Debug)]
pub struct Candidates<'a> {
    list: &'a mut [Candidate],
}

impl Candidates<'_> {
    /// Keeps the first n, at least one.
    pub fn truncate(&mut self, n: usize) {
        let n = n.clamp(1, self.list.len().max(1)).min(self.list.len());
        self.list = &mut std::mem::take(&mut self.list)[..n];
    }
}

impl Deref for Candidates<'_> {
    type Target = [Candidate];
    fn deref(&self) -> &[Candidate] {
        self.list
    }
}

impl DerefMut for Candidates<'_> {
    fn deref_mut(&mut self) -> &mut [Candidate] {
        self.list
    }
}

type HostFn = Arc<dyn Fn(&mut Candidates<'_>, &[Token]) -> ControlFlow<()> + Send + Sync>;

/// A host's stage as one generation calls it. The session keeps it while the generation may.
pub(crate) struct HostCall(Mutex<Option<Callback<HostFn>>>);

impl HostCall {
    /// After a call: lets a panic of the stage go on.
    pub(crate) fn finish(&self) {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_some_and(Callback::panicked) {
            let callback = slot.take();
            drop(slot);
            if let Some(callback) = callback {
                callback.finish();
            }
        }
    }
}

unsafe extern "C" fn on_stage(
    candidates: *mut ffi::lq_candidate,
    count: *mut usize,
    history: *const i32,
    history_count: usize,
    user: *mut c_void,
) -> c_int {
    // SAFETY: `user` is what the session keeps an `Arc` of while it may call; the pointers are valid for the call and the counts given;
    // a `Candidate` has the layout of an `lq_candidate`.
    let (host, list, count, history) = unsafe {
        let list = std::slice::from_raw_parts_mut(candidates.cast::<Candidate>(), *count);
        (&*user.cast::<HostCall>(), list, &mut *count, slice(history, history_count))
    };
    let mut slot = host.0.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(callback) = slot.as_mut() else { return 1 };
    callback.run(|f| {
        let mut candidates = Candidates { list };
        let flow = f(&mut candidates, history);
        *count = candidates.len();
        flow
    })
}

/// One of [`GenerateOptions`](crate::GenerateOptions)' stages.
#[derive(Clone)]
pub(crate) enum Stage {
    Named(String, Vec<f64>),
    Host(HostFn),
}

impl Stage {
    pub(crate) fn named(name: String, values: &[f64]) -> Stage {
        Stage::Named(name, values.to_vec())
    }

    pub(crate) fn host(f: impl Fn(&mut Candidates<'_>, &[Token]) -> ControlFlow<()> + Send + Sync + 'static) -> Stage {
        Stage::Host(Arc::new(f))
    }

    /// Appends it. What comes back must live as long as the sampler and its copies.
    pub(crate) fn add(&self, sampler: &Handle<ffi::lq_sampler>) -> Result<Option<Arc<HostCall>>> {
        match self {
            Stage::Named(name, values) => {
                let name = cstring(name.as_str(), "the stage's name")?;
                // SAFETY: a live handle, a NUL-terminated name, as many values as said.
                check(unsafe {
                    ffi::lq_sampler_add_values(sampler.raw(), name.as_ptr(), values.as_ptr(), values.len())
                })?;
                Ok(None)
            }
            Stage::Host(f) => {
                let host = Arc::new(HostCall(Mutex::new(Some(Callback::new(f.clone())))));
                let user = Arc::as_ptr(&host).cast_mut().cast();
                // SAFETY: a live handle; the caller keeps the `Arc`.
                check(unsafe { ffi::lq_sampler_add_callback(sampler.raw(), Some(on_stage), user) })?;
                Ok(Some(host))
            }
        }
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Named(name, values) => write!(f, "{name}({values:?})"),
            Stage::Host(_) => f.write_str("host"),
        }
    }
}

/// The names of the stages that the library knows.
pub fn sampler_names() -> Result<Vec<String>> {
    // SAFETY: a buffer of the given capacity.
    let names = crate::util::text(|out, capacity, length| unsafe { ffi::lq_sampler_names(out, capacity, length) })?;
    Ok(names.split(',').map(String::from).collect())
}

/// Draws a token from logits of your own, with the sampler of `options`. `position` numbers the draw, `history` holds the tokens
/// so far. Errors: `InvalidArgument` if no logit is finite.
///
/// ```
/// # fn main() -> loquor::Result<()> {
/// let greedy = loquor::GenerateOptions::new();
/// assert_eq!(loquor::sample(&greedy, &[0.5, 2.0, 1.0], &[], 0)?, 1);
/// # Ok(()) }
/// ```
pub fn sample(options: &crate::GenerateOptions, logits: &[f32], history: &[Token], position: u64) -> Result<Token> {
    let (sampler, host) = options.sampler()?;
    let mut token = -1;
    // SAFETY: an out-parameter, a live handle, as many numbers as said; the stages live until the call returns.
    let status = unsafe {
        let (h, n) = (history.as_ptr(), history.len());
        ffi::lq_sampler_sample(&mut token, sampler.raw(), logits.as_ptr(), logits.len(), h, n, position)
    };
    let failed = check(status);
    host.iter().for_each(|h| h.finish());
    failed.map(|()| token)
}

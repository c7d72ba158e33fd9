//! Several sessions computed together, and what they share of their prompts.

use crate::error::Result;
use crate::event::Event;
use crate::ffi;
use crate::model::Model;
use crate::session::Session;
use crate::util::{check, Handle};
use std::fmt;
use std::sync::Arc;

/// Sessions of one model, computed together: each step is one pass over the weights for all of them. `Send`, not `Sync`.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// # let model = loquor::Model::load("smollm2")?;
/// use loquor::{Batch, Event, GenerateOptions};
/// let (mut a, mut b) = (model.session()?, model.session()?);
/// a.start("The sky is", &GenerateOptions::new().max_tokens(20))?;
/// b.start("The sea is", &GenerateOptions::new().max_tokens(30))?;
/// let mut batch = Batch::new(&model, 0)?;
/// loop {
///     let events = batch.step(&mut [&mut a, &mut b])?;
///     if events.iter().all(|e| matches!(e, Event::Done { .. })) {
///         break;
///     }
/// }
/// println!("{}\n{}", a.result()?.text, b.result()?.text);
/// # Ok(()) }
/// ```
pub struct Batch {
    raw: Handle<ffi::lq_batch>, // dropped before the model, which it keeps alive
    _model: Model,
}

impl Batch {
    /// For at most so many sessions at once; 0: 16. At most 1024.
    pub fn new(model: &Model, max_sessions: u32) -> Result<Batch> {
        let o = ffi::lq_batch_options { max_sessions, ..ffi::LQ_BATCH_OPTIONS_INIT };
        // SAFETY: an out-parameter, a live handle, options that live until the call returns.
        let raw = Handle::make(ffi::lq_batch_free, |out| unsafe { ffi::lq_batch_create(out, model.raw(), &o) })?;
        Ok(Batch { raw, _model: model.clone() })
    }

    /// Brings every session, which [`start`](Session::start) began, one token further; the events are in the order of the sessions.
    /// Each gives the tokens it would give alone. Errors: `InvalidArgument` for a session of another model, or not started.
    pub fn step(&mut self, sessions: &mut [&mut Session]) -> Result<Vec<Event>> {
        let list: Vec<_> = sessions.iter().map(|s| s.raw()).collect();
        let mut events = vec![ffi::LQ_EVENT_INIT; list.len()];
        // SAFETY: as many events, with their size set, and live handles as said; no session is given twice, for all are borrowed.
        let status =
            check(unsafe { ffi::lq_batch_step(events.as_mut_ptr(), self.raw.raw(), list.as_ptr(), list.len()) });
        sessions.iter().for_each(|s| s.host_panics());
        status?;
        // SAFETY: borrowed until the next call on their sessions; copied here.
        Ok(events.iter().map(|e| unsafe { Event::of(e) }).collect())
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}

/// What sessions of one model have computed of prompts that begin alike, shared by those that
/// [use it](Session::use_prefix_cache). Results are the same bits; but time tells whether another of them has had a text.
///
/// `Send` and `Sync`; clones share it.
#[derive(Clone)]
pub struct PrefixCache {
    inner: Arc<Inner>,
}

struct Inner {
    raw: Handle<ffi::lq_prefix_cache>, // dropped before the model, which it keeps alive
    _model: Model,
}

// SAFETY: every call on a prefix cache may come from any thread at any time (lq_prefix.h).
unsafe impl Sync for Inner {}

/// Figures of a [`PrefixCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrefixCacheStats {
    /// Prompts that were looked up,
    pub lookups: u64,
    /// those of them for which a page was taken over,
    pub hits: u64,
    /// and the tokens that were not computed again for it.
    pub reused_tokens: u64,
    /// Pages held now,
    pub entries: u64,
    /// their memory,
    pub bytes: u64,
    /// and the most it may be.
    pub max_bytes: u64,
    /// Pages given up to keep to that.
    pub evicted: u64,
}

impl PrefixCache {
    /// An empty cache that keeps at most so many bytes.
    pub fn new(model: &Model, max_bytes: u64) -> Result<PrefixCache> {
        let o = ffi::lq_prefix_cache_options { max_bytes, ..ffi::LQ_PREFIX_CACHE_OPTIONS_INIT };
        // SAFETY: an out-parameter, a live handle, options that live until the call returns.
        let raw = Handle::make(ffi::lq_prefix_cache_free, |out| unsafe {
            ffi::lq_prefix_cache_create(out, model.raw(), &o)
        })?;
        Ok(PrefixCache { inner: Arc::new(Inner { raw, _model: model.clone() }) })
    }

    /// Changes how many bytes it keeps, giving up what is over it.
    pub fn resize(&self, max_bytes: u64) -> Result<()> {
        // SAFETY: a live handle; so below.
        check(unsafe { ffi::lq_prefix_cache_resize(self.inner.raw.raw(), max_bytes) })
    }

    /// Gives up all pages.
    pub fn clear(&self) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { ffi::lq_prefix_cache_clear(self.inner.raw.raw()) })
    }

    /// Its figures.
    pub fn stats(&self) -> Result<PrefixCacheStats> {
        let mut s = ffi::LQ_PREFIX_CACHE_STATS_INIT;
        // SAFETY: as above, with an out-parameter whose size is set.
        check(unsafe { ffi::lq_prefix_cache_get_stats(&mut s, self.inner.raw.raw()) })?;
        Ok(PrefixCacheStats {
            lookups: s.lookups,
            hits: s.hits,
            reused_tokens: s.reused_tokens,
            entries: s.entries,
            bytes: s.bytes,
            max_bytes: s.max_bytes,
            evicted: s.evicted,
        })
    }
}

impl fmt::Debug for PrefixCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrefixCache").field("stats", &self.stats().ok()).finish()
    }
}

impl Session {
    /// Takes part in a prefix cache from now on, and so do its forks; `None`: no longer. Errors: `InvalidArgument` if they are of
    /// different models.
    pub fn use_prefix_cache(&mut self, cache: Option<&PrefixCache>) -> Result<()> {
        let raw = cache.map_or(std::ptr::null_mut(), |c| c.inner.raw.raw());
        // SAFETY: live handles, the second one maybe NULL.
        check(unsafe { ffi::lq_session_use_prefix_cache(self.raw(), raw) })
    }
}

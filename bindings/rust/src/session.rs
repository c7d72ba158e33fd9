//! Sessions: a list of tokens and what the model remembers of them.

use crate::adapter::Adapter;
use crate::error::Result;
use crate::ffi;
use crate::model::Model;
use crate::sampler::HostCall;
use crate::tokens::Token;
use crate::util::{check, flag, ids, optional, path, pointer, slice, Handle};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// How a session is made. The defaults are good.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// # let model = loquor::Model::load("smollm2")?;
/// use loquor::SessionOptions;
/// let session = model.session_with(&SessionOptions { ctx: 2048, kv_type: Some("q8_0".into()), ..Default::default() })?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// The most tokens it holds; 0: as many as the model was trained with. Memory is taken as it fills.
    pub ctx: u32,
    /// "f16" (default), "q8_0", "f32".
    pub kv_type: Option<String>,
    /// When the context is full, forget the oldest half of what follows the first `slide_keep` tokens.
    pub slide: bool,
    /// Tokens at the start that sliding keeps.
    pub slide_keep: u32,
    /// Tokens computed at once while reading a prompt; 0: chosen by the library. Results do not depend on it.
    pub prefill_chunk: u32,
    /// The cache is overwritten with zeros when it is released.
    pub wipe: bool,
    /// Bytes that it may take; 0: no cap.
    pub memory_cap: u64,
}

/// One conversation or document: the tokens that the model has seen, and what it remembers of them.
///
/// `Send`, not `Sync`: it does one thing at a time, which the compiler sees to. A session in a `Mutex` can be shared.
///
/// ```compile_fail
/// fn shared<T: Sync>() {}
/// shared::<loquor::Session>();
/// ```
pub struct Session {
    raw: Handle<ffi::lq_session>, // dropped first: the generation may hold on to the stages, the cache to the model
    pub(crate) host: Vec<Arc<HostCall>>,
    pub(crate) model: Model,
}

impl Model {
    /// An empty session with the defaults.
    pub fn session(&self) -> Result<Session> {
        self.session_with(&SessionOptions::default())
    }

    /// An empty session. Errors: `InvalidArgument` for a vocabulary-only model, `OutOfMemory`.
    pub fn session_with(&self, options: &SessionOptions) -> Result<Session> {
        let kv_type = optional(options.kv_type.as_deref(), "the cache type")?;
        let o = ffi::lq_session_options {
            n_ctx: options.ctx,
            kv_type: pointer(&kv_type),
            overflow: if options.slide { ffi::LQ_OVERFLOW_SLIDE } else { ffi::LQ_OVERFLOW_ERROR },
            slide_keep: options.slide_keep,
            prefill_chunk: options.prefill_chunk,
            wipe: flag(options.wipe),
            memory_cap: options.memory_cap,
            ..ffi::LQ_SESSION_OPTIONS_INIT
        };
        // SAFETY: an out-parameter, a live handle, options that live until the call returns.
        let raw = Handle::make(ffi::lq_session_free, |out| unsafe { ffi::lq_session_create(out, self.raw(), &o) })?;
        Ok(Session { raw, host: Vec::new(), model: self.clone() })
    }
}

impl Session {
    pub(crate) fn raw(&self) -> *mut ffi::lq_session {
        self.raw.raw()
    }

    /// The model that it is of.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// A second session with the same tokens, which goes its own way; what they share is stored once.
    pub fn fork(&mut self) -> Result<Session> {
        // SAFETY: an out-parameter and a live handle.
        let raw = Handle::make(ffi::lq_session_free, |out| unsafe { ffi::lq_session_fork(out, self.raw()) })?;
        Ok(Session { raw, host: self.host.clone(), model: self.model.clone() })
    }

    /// Makes the session hold exactly these tokens: keeps the longest common prefix, whose length it gives, and computes the rest.
    pub fn set_prompt(&mut self, tokens: &[Token]) -> Result<usize> {
        let mut reused = 0;
        // SAFETY: an out-parameter, a live handle, as many tokens as said; so below.
        check(unsafe { ffi::lq_session_set_prompt(&mut reused, self.raw(), tokens.as_ptr(), tokens.len()) })?;
        Ok(reused)
    }

    /// Appends tokens and computes them.
    pub fn feed(&mut self, tokens: &[Token]) -> Result<()> {
        // SAFETY: as above.
        check(unsafe { ffi::lq_session_feed(self.raw(), tokens.as_ptr(), tokens.len()) })
    }

    /// The scores of the next token, one for each of the vocabulary.
    pub fn logits(&mut self) -> Result<&[f32]> {
        let (mut logits, mut n) = (std::ptr::null(), 0);
        // SAFETY: out-parameters and a live handle; the row lives until the next call on the session, which needs `self`.
        unsafe {
            check(ffi::lq_session_logits(&mut logits, &mut n, self.raw()))?;
            Ok(slice(logits, n))
        }
    }

    /// The scores of the next token for these alone, of which only the rows are computed.
    pub fn logits_of(&mut self, tokens: &[Token]) -> Result<Vec<f32>> {
        let mut out = vec![0.0; tokens.len()];
        // SAFETY: room for as many numbers as tokens, a live handle, no prompt.
        check(unsafe {
            let (reused, prompt) = (std::ptr::null_mut(), std::ptr::null());
            ffi::lq_session_logits_of(out.as_mut_ptr(), reused, self.raw(), prompt, 0, tokens.as_ptr(), tokens.len())
        })?;
        Ok(out)
    }

    /// Appends tokens; the sum of the natural logarithms of the probabilities that the model gave them, and of how many that is
    /// (all but the first of an empty session).
    pub fn score(&mut self, tokens: &[Token]) -> Result<(f64, usize)> {
        let (mut sum, mut scored) = (0.0, 0);
        // SAFETY: out-parameters, a live handle, as many tokens as said.
        check(unsafe { ffi::lq_session_score(&mut sum, &mut scored, self.raw(), tokens.as_ptr(), tokens.len()) })?;
        Ok((sum, scored))
    }

    /// Forgets all but the first n tokens.
    pub fn rewind(&mut self, n: usize) -> Result<()> {
        // SAFETY: a live handle; so below, with out-parameters.
        check(unsafe { ffi::lq_session_rewind(self.raw(), n) })
    }

    /// How many tokens it holds.
    pub fn len(&self) -> usize {
        let mut n = 0;
        // SAFETY: as above. Of a live handle it does not fail, but in a child of fork().
        unsafe { ffi::lq_session_length(&mut n, self.raw()) };
        n
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most tokens that it can hold.
    pub fn capacity(&self) -> usize {
        let mut n = 0;
        // SAFETY: as above.
        unsafe { ffi::lq_session_capacity(&mut n, self.raw()) };
        n
    }

    /// The bytes that it takes now; what it shares counts in each.
    pub fn memory(&self) -> u64 {
        let mut n = 0;
        // SAFETY: as above.
        unsafe { ffi::lq_session_memory(&mut n, self.raw()) };
        n
    }

    /// The tokens that it holds.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        // SAFETY: a buffer of the given capacity, a live handle.
        ids(self.len(), |out, capacity, count| unsafe { ffi::lq_session_tokens(out, capacity, count, self.raw()) })
    }

    /// Computes with these adapters, each times its scale, from now on; none: with the weights alone. A generation is given up.
    pub fn set_adapters(&mut self, adapters: &[(&Adapter, f32)]) -> Result<()> {
        let (list, scales): (Vec<_>, Vec<_>) = adapters.iter().map(|(a, scale)| (a.raw(), *scale)).unzip();
        // SAFETY: a live handle, as many live adapters and scales as said.
        check(unsafe { ffi::lq_session_set_adapters(self.raw(), list.as_ptr(), scales.as_ptr(), list.len()) })
    }

    // ---- State ---------------------------------------------------------------------------------------------------------

    /// Writes tokens and cache to a file; an older one survives a failure. Errors: `Io`.
    pub fn save_file(&self, file: impl AsRef<Path>) -> Result<()> {
        let file = path(file.as_ref())?;
        // SAFETY: a live handle, a NUL-terminated path; so below.
        check(unsafe { ffi::lq_session_save_file(self.raw(), file.as_ptr()) })
    }

    /// Replaces the contents. Errors: `NotFound`, `Io`, `BadFile`, `Mismatch` (another model, cache type or version), `ContextFull`; the
    /// session is then unchanged.
    pub fn load_file(&mut self, file: impl AsRef<Path>) -> Result<()> {
        let file = path(file.as_ref())?;
        // SAFETY: as above.
        check(unsafe { ffi::lq_session_load_file(self.raw(), file.as_ptr()) })
    }

    /// Tokens and cache as bytes.
    pub fn save(&self) -> Result<Vec<u8>> {
        let mut length = 0;
        // SAFETY: a live handle; first no buffer, then one of the size that was said.
        unsafe {
            check(ffi::lq_session_save(std::ptr::null_mut(), 0, &mut length, self.raw()))?;
            let mut out = vec![0u8; length];
            check(ffi::lq_session_save(out.as_mut_ptr().cast(), out.len(), &mut length, self.raw()))?;
            out.truncate(length);
            Ok(out)
        }
    }

    /// Replaces the contents by what [`save`](Session::save) gave. Errors as for [`load_file`](Session::load_file).
    pub fn load(&mut self, state: &[u8]) -> Result<()> {
        // SAFETY: a live handle, as many bytes as said.
        check(unsafe { ffi::lq_session_load(self.raw(), state.as_ptr().cast(), state.len()) })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

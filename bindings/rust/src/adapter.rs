//! LoRA adapters.

use crate::error::Result;
use crate::ffi;
use crate::model::Model;
use crate::util::{check, path, Handle};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A LoRA adapter of a model: changes what it says without another copy of its weights.
/// [`Session::set_adapters`](crate::Session::set_adapters) puts it to use.
///
/// `Send` and `Sync`; clones share it.
#[derive(Clone)]
pub struct Adapter {
    inner: Arc<Inner>,
}

struct Inner {
    raw: Handle<ffi::lq_adapter>, // dropped before the model, which it keeps alive
    _model: Model,
}

// SAFETY: adapters are immutable, and every call on one may come from any thread at any time (lq_adapter.h).
unsafe impl Sync for Inner {}

impl Model {
    /// Reads a GGUF file of the type "adapter", or a folder as PEFT saves it. Errors: `Mismatch` for another architecture or other
    /// shapes, `Unsupported`, `NotFound`, `Io`, `BadFile`.
    pub fn load_adapter(&self, source: impl AsRef<Path>) -> Result<Adapter> {
        let source = path(source.as_ref())?;
        // SAFETY: an out-parameter, a live handle, a NUL-terminated path.
        let raw = Handle::make(ffi::lq_adapter_free, |out| unsafe {
            ffi::lq_adapter_load(out, self.raw(), source.as_ptr())
        })?;
        Ok(Adapter { inner: Arc::new(Inner { raw, _model: self.clone() }) })
    }
}

impl Adapter {
    pub(crate) fn raw(&self) -> *mut ffi::lq_adapter {
        self.inner.raw.raw()
    }

    /// How many matrices it changes.
    pub fn targets(&self) -> Result<usize> {
        let mut n = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_adapter_targets(&mut n, self.raw()) })?;
        Ok(n)
    }
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter").field("targets", &self.targets().ok()).finish()
    }
}

//! Models: loading them, and what is known about them.

use crate::cancel::{self, CancelToken};
use crate::context::{Context, ContextOptions};
use crate::error::Result;
use crate::ffi;
use crate::util::{check, cstring, flag, path, string, text, Callback, Handle};
use std::fmt;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Memory that models may be loaded from.
type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

type Progress<'a> = Box<dyn FnMut(f32) -> ControlFlow<()> + 'a>;

/// How a model is loaded. The defaults are good.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// use std::ops::ControlFlow;
/// let model = loquor::LoadOptions::new()
///     .threads(4)
///     .progress(|fraction| {
///         eprint!("\r{:3.0} %", fraction * 100.0);
///         ControlFlow::Continue(())
///     })
///     .load("model.gguf")?;
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct LoadOptions<'a> {
    context: Option<Context>,
    threads: u32,
    f32: bool,
    vocab_only: bool,
    private_copy: bool,
    memory_cap: u64,
    progress: Option<Progress<'a>>,
    cancel: Option<CancelToken>,
}

impl<'a> LoadOptions<'a> {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to; otherwise into a context of its own.
    pub fn context(mut self, context: &Context) -> Self {
        self.context = Some(context.clone());
        self
    }

    /// Computing threads of a context of its own; 0: the CPUs that this process may use. Nothing beside
    /// [`context`](LoadOptions::context).
    pub fn threads(mut self, n: u32) -> Self {
        self.threads = n;
        self
    }

    /// Computes with the weights expanded to `f32`: the reference path, slower, with more memory.
    pub fn f32(mut self, yes: bool) -> Self {
        self.f32 = yes;
        self
    }

    /// Reads vocabulary and metadata only. No session can be made from the model.
    pub fn vocab_only(mut self, yes: bool) -> Self {
        self.vocab_only = yes;
        self
    }

    /// Reads the file into memory instead of mapping it. A mapped file must not be truncated while it is in use.
    pub fn private_copy(mut self, yes: bool) -> Self {
        self.private_copy = yes;
        self
    }

    /// Bytes that weights and tables may take, checked before they are allocated; 0: no cap.
    pub fn memory_cap(mut self, bytes: u64) -> Self {
        self.memory_cap = bytes;
        self
    }

    /// Called on the loading thread with a fraction from 0 to 1. `Break` stops loading with `Cancelled`; a panic goes on where
    /// loading was called.
    pub fn progress(mut self, f: impl FnMut(f32) -> ControlFlow<()> + 'a) -> Self {
        self.progress = Some(Box::new(f));
        self
    }

    /// Stops loading within 20 ms.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// Loads a model by its short name ("smollm2", looked up in the user's cache), the path of a GGUF file (of a split model: its
    /// first part) or of a Hugging Face folder. Errors: `NotFound`, `Io`, `BadFile`, `Unsupported`, `OutOfMemory`, `Cancelled`.
    pub fn load(self, source: impl AsRef<Path>) -> Result<Model> {
        let source = path(source.as_ref())?;
        // SAFETY: the name lives until the call returns.
        self.run(None, |out, context, o| unsafe { ffi::lq_model_load(out, context, source.as_ptr(), o) })
    }

    /// Loads a model from the bytes of a GGUF file: a `Vec<u8>`, an array of `include_bytes!`, a memory map of a crate for
    /// them. They are not copied, but kept until the model and its sessions are gone.
    pub fn from_bytes(self, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Model> {
        // In an `Arc`, so that the bytes neither move nor are owned uniquely while C reads them. `as_ref` is asked once, and the
        // borrow it gives is held, so to speak, until `ModelInner` drops the owner.
        let owner: Bytes = Arc::new(bytes);
        let data: &[u8] = (*owner).as_ref();
        let (start, size) = (data.as_ptr().cast(), data.len());
        // SAFETY: the bytes stay where and as they are: the model keeps their owner.
        self.run(Some(owner.clone()), |out, context, o| unsafe {
            ffi::lq_model_load_memory(out, context, start, size, o)
        })
    }

    fn run(
        self,
        bytes: Option<Bytes>,
        load: impl FnOnce(*mut *mut ffi::lq_model, *mut ffi::lq_context, &ffi::lq_model_options) -> ffi::lq_status,
    ) -> Result<Model> {
        let context = match self.context {
            Some(context) => context,
            None => ContextOptions::new().threads(self.threads).create()?,
        };
        let mut progress = self.progress.map(Callback::new);
        let mut o = ffi::lq_model_options {
            compute: if self.f32 { ffi::LQ_COMPUTE_F32 } else { ffi::LQ_COMPUTE_QUANTIZED },
            vocab_only: flag(self.vocab_only),
            private_copy: flag(self.private_copy),
            memory_cap: self.memory_cap,
            cancel: cancel::raw(&self.cancel),
            ..ffi::LQ_MODEL_OPTIONS_INIT
        };
        if let Some(callback) = &mut progress {
            o.progress = Some(on_progress);
            o.progress_user = (callback as *mut Callback<Progress<'a>>).cast();
        }
        let raw = Handle::make(ffi::lq_model_free, |out| load(out, context.raw(), &o));
        if let Some(callback) = progress {
            callback.finish();
        }
        Ok(Model { inner: Arc::new(ModelInner { raw: raw?, _bytes: bytes, context }) })
    }
}

unsafe extern "C" fn on_progress(fraction: f32, user: *mut c_void) -> c_int {
    // SAFETY: `user` is the callback in `run`, which is waiting for this very thread.
    let callback = unsafe { &mut *user.cast::<Callback<Progress<'_>>>() };
    callback.run(|f| f(fraction))
}

impl fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("context", &self.context)
            .field("threads", &self.threads)
            .field("f32", &self.f32)
            .field("vocab_only", &self.vocab_only)
            .field("private_copy", &self.private_copy)
            .field("memory_cap", &self.memory_cap)
            .field("progress", &self.progress.is_some())
            .field("cancel", &self.cancel)
            .finish()
    }
}

pub(crate) struct ModelInner {
    raw: Handle<ffi::lq_model>, // dropped first: the bytes and the context's log are in use until then
    _bytes: Option<Bytes>,
    context: Context,
}

// SAFETY: models are immutable, and every call on one may come from any thread at any time (lq_base.h).
unsafe impl Sync for ModelInner {}

/// Weights and vocabulary. Immutable: one model serves all sessions and threads.
///
/// `Send` and `Sync`. A clone is another reference to the same model; the weights go when the last of them and of what was made
/// from it (sessions, embedders, adapters) is gone.
#[derive(Clone)]
pub struct Model {
    pub(crate) inner: Arc<ModelInner>,
}

impl Model {
    /// Loads a model with the defaults: by its short name ("smollm2"), the path of a GGUF file or of a Hugging Face folder. See
    /// [`LoadOptions`] for more.
    pub fn load(source: impl AsRef<Path>) -> Result<Model> {
        LoadOptions::new().load(source)
    }

    /// Loads a model from the bytes of a GGUF file, which are kept, not copied. See [`LoadOptions::from_bytes`].
    pub fn from_bytes(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Model> {
        LoadOptions::new().from_bytes(bytes)
    }

    pub(crate) fn raw(&self) -> *mut ffi::lq_model {
        self.inner.raw.raw()
    }

    /// The context that it was loaded in.
    pub fn context(&self) -> &Context {
        &self.inner.context
    }

    /// What is known about the model. Memory figures are for one session of the context size it was trained with.
    pub fn info(&self) -> Result<ModelInfo> {
        let mut i = ffi::LQ_MODEL_INFO_INIT;
        // SAFETY: an out-parameter with its size set, a live handle, no options.
        check(unsafe { ffi::lq_model_get_info(&mut i, self.raw(), std::ptr::null()) })?;
        Ok(ModelInfo::from(&i))
    }

    /// What is known about a model file from its header, without loading its weights.
    pub fn inspect(source: impl AsRef<Path>) -> Result<ModelInfo> {
        let (source, context) = (path(source.as_ref())?, ContextOptions::new().threads(1).create()?);
        let mut i = ffi::LQ_MODEL_INFO_INIT;
        // SAFETY: as above; the name lives until the call returns.
        check(unsafe { ffi::lq_model_inspect(&mut i, context.raw(), source.as_ptr(), std::ptr::null()) })?;
        Ok(ModelInfo::from(&i))
    }

    /// The path that [`Model::load`] would open. Errors: `NotFound` for what is neither a known name nor an existing file (the
    /// message lists the names).
    pub fn path(source: impl AsRef<Path>) -> Result<PathBuf> {
        let source = path(source.as_ref())?;
        // SAFETY: a buffer of the given capacity, a NUL-terminated name.
        let found =
            text(|out, capacity, length| unsafe { ffi::lq_model_path(out, capacity, length, source.as_ptr()) })?;
        Ok(PathBuf::from(found))
    }

    /// The value of a metadata key of the file, as text; arrays as JSON. Errors: `NotFound`.
    pub fn metadata(&self, key: &str) -> Result<String> {
        let key = cstring(key, "the key")?;
        // SAFETY: a buffer of the given capacity, a live handle.
        text(|out, capacity, length| unsafe {
            ffi::lq_model_metadata_value(out, capacity, length, self.raw(), key.as_ptr())
        })
    }

    /// The metadata keys of the file, in its order.
    pub fn metadata_keys(&self) -> Result<Vec<String>> {
        let mut n = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_model_metadata_count(&mut n, self.raw()) })?;
        let key = |i| {
            // SAFETY: a buffer of the given capacity, a live handle.
            text(|out, capacity, length| unsafe { ffi::lq_model_metadata_key(out, capacity, length, self.raw(), i) })
        };
        (0..n).map(key).collect()
    }

    /// Wall time that loading took.
    pub fn load_time(&self) -> Result<Duration> {
        let mut ms = 0.0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_model_load_ms(&mut ms, self.raw()) })?;
        Ok(crate::event::milliseconds(ms))
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.info().ok();
        f.debug_struct("Model")
            .field("name", &info.as_ref().map(|i| &i.name))
            .field("architecture", &info.as_ref().map(|i| &i.architecture))
            .finish()
    }
}

/// What is known about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// "llama", "qwen2"
    pub architecture: String,
    /// The model's own name for itself, "" if it has none.
    pub name: String,
    /// Whether there are no weights, or they were not asked for. Dimensions may then be 0.
    pub vocab_only: bool,
    /// Whether the model has a chat template of its own.
    pub has_chat_template: bool,
    /// Number of token ids.
    pub vocab_size: u32,
    /// Blocks of the network.
    pub layers: u32,
    /// Width of the residual stream.
    pub width: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Width of the feed-forward block.
    pub ff_width: u32,
    /// Positions that the model was trained with.
    pub trained_context: u32,
    /// Numbers in all tensors.
    pub parameters: u64,
    /// Size of the file.
    pub file_bytes: u64,
    /// Memory that the loaded weights and tables take.
    pub weight_bytes: u64,
    /// Memory of one session's KV cache, full.
    pub kv_bytes: u64,
    /// Memory of one session besides its KV cache.
    pub workspace_bytes: u64,
}

impl From<&ffi::lq_model_info> for ModelInfo {
    fn from(i: &ffi::lq_model_info) -> ModelInfo {
        // SAFETY: arrays that hold a NUL (lq_model.h).
        let word = |a: &[c_char]| unsafe { string(a.as_ptr()) };
        ModelInfo {
            architecture: word(&i.architecture),
            name: word(&i.name),
            vocab_only: i.vocab_only != 0,
            has_chat_template: i.has_chat_template != 0,
            vocab_size: i.n_vocab,
            layers: i.n_layer,
            width: i.d_model,
            heads: i.n_head,
            kv_heads: i.n_kv_head,
            head_dim: i.head_dim,
            ff_width: i.d_ff,
            trained_context: i.n_ctx_train,
            parameters: i.n_params,
            file_bytes: i.file_bytes,
            weight_bytes: i.weight_bytes,
            kv_bytes: i.kv_bytes,
            workspace_bytes: i.workspace_bytes,
        }
    }
}

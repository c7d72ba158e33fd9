//! Text encoders, which make one vector of each text.

use crate::cancel::{self, CancelToken};
use crate::error::Result;
use crate::ffi;
use crate::model::Model;
use crate::util::{check, flag, optional, pointer, Handle};
use std::fmt;

/// How texts become vectors. The default is as the model says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbedderOptions {
    /// Longer texts are cut; 0: as the model says.
    pub max_tokens: u32,
    /// About how many tokens are computed at once, which decides the memory; 0: 1024.
    pub batch_tokens: u32,
    /// Vectors as they come, not of length 1.
    pub raw: bool,
    /// "mean", "cls" or "last".
    pub pooling: Option<String>,
}

/// Makes vectors of texts with a text encoder. `Send`, not `Sync`.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// let mut embedder = loquor::Model::load("all-MiniLM-L6-v2")?.embedder(&Default::default())?;
/// let vectors = embedder.embed(&["The cat sleeps.", "A feline is napping."])?;
/// let cosine: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
/// println!("{cosine:.2}");
/// # Ok(()) }
/// ```
pub struct Embedder {
    raw: Handle<ffi::lq_embedder>, // dropped before the model, which it keeps alive
    dimension: usize,
    _model: Model,
}

impl Model {
    /// An embedder of this model. Errors: `Unsupported` for a model that is no text encoder, `InvalidArgument`.
    pub fn embedder(&self, options: &EmbedderOptions) -> Result<Embedder> {
        let pooling = optional(options.pooling.as_deref(), "the pooling")?;
        let o = ffi::lq_embedder_options {
            max_tokens: options.max_tokens,
            batch_tokens: options.batch_tokens,
            raw: flag(options.raw),
            pooling: pointer(&pooling),
            ..ffi::LQ_EMBEDDER_OPTIONS_INIT
        };
        // SAFETY: an out-parameter, a live handle, options that live until the call returns.
        let raw = Handle::make(ffi::lq_embedder_free, |out| unsafe { ffi::lq_embedder_create(out, self.raw(), &o) })?;
        let mut dimension = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_embedder_dimension(&mut dimension, raw.raw()) })?;
        Ok(Embedder { raw, dimension: dimension as usize, _model: self.clone() })
    }
}

impl Embedder {
    /// How long the vectors are.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The most tokens of a text that are used.
    pub fn max_tokens(&self) -> Result<u32> {
        let mut n = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_embedder_max_tokens(&mut n, self.raw.raw()) })?;
        Ok(n)
    }

    /// A vector for each text. A text gives the same bits alone and among others.
    pub fn embed<S: AsRef<str>>(&mut self, texts: &[S]) -> Result<Vec<Vec<f32>>> {
        let flat = self.embed_flat(texts, None)?;
        Ok(flat.chunks_exact(self.dimension.max(1)).map(<[f32]>::to_vec).collect())
    }

    /// The vectors one after another, [`dimension`](Embedder::dimension) numbers each. The token stops it between batches.
    pub fn embed_flat<S: AsRef<str>>(&mut self, texts: &[S], cancel: Option<&CancelToken>) -> Result<Vec<f32>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<_> = texts.iter().map(|t| t.as_ref().as_ptr().cast()).collect();
        let lengths: Vec<usize> = texts.iter().map(|t| t.as_ref().len()).collect();
        let cancel = cancel::raw(&cancel.cloned());
        let mut out = vec![0.0f32; texts.len() * self.dimension];
        // SAFETY: room for as many numbers as said, a live handle, as many texts and lengths as said.
        check(unsafe {
            let (count, embedder) = (std::ptr::null_mut(), self.raw.raw());
            let (texts, n) = (list.as_ptr(), list.len());
            ffi::lq_embedder_embed(out.as_mut_ptr(), out.len(), count, embedder, texts, lengths.as_ptr(), n, cancel)
        })?;
        Ok(out)
    }
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("dimension", &self.dimension).finish_non_exhaustive()
    }
}

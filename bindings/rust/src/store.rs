//! Stores of documents, searched by vectors and by words, and questions answered from them.

use crate::cancel::{self, CancelToken};
use crate::error::Result;
use crate::ffi;
use crate::model::Model;
use crate::session::Session;
use crate::util::{bytes, check, cstring, flag, lossy, optional, path, pointer, report, slice, Callback, Handle};
use std::ffi::CString;
use std::fmt;
use std::ops::ControlFlow;
use std::os::raw::{c_char, c_int, c_void};
use std::path::Path;

/// How a document is cut into chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextKind {
    /// Paragraphs and sentences.
    #[default]
    Plain,
    /// Headings begin sections; fenced code stays together.
    Markdown,
    /// Definitions that begin at the margin.
    Code,
    /// A page, kept as Markdown: no scripts, styles or navigation.
    Html,
}

/// How a store is opened. All but `read_only` is of a new store; an old one keeps what it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOptions {
    /// Nothing is written.
    pub read_only: bool,
    /// At most so many tokens in a chunk; 0: what the encoder takes, at most 200.
    pub chunk_tokens: u32,
    /// Tokens of a chunk that the next one begins with, in whole sentences; 32.
    pub overlap: u32,
    /// One chunk each; the vector is of its beginning.
    pub whole_documents: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { read_only: false, chunk_tokens: 0, overlap: 32, whole_documents: false }
    }
}

/// A document for a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it is known by: a path, an address. A document of a known key replaces the one before.
    pub key: String,
    /// The text.
    pub text: String,
    /// What kind of text.
    pub kind: TextKind,
    /// A title.
    pub title: Option<String>,
    /// Where it is from.
    pub source: Option<String>,
    /// A JSON object, for filters.
    pub metadata: Option<String>,
    /// From 0 to 1.
    pub trust: f64,
}

impl Document {
    /// A plain text, fully trusted.
    pub fn new(key: impl Into<String>, text: impl Into<String>) -> Document {
        let (key, text) = (key.into(), text.into());
        Document { key, text, kind: TextKind::Plain, title: None, source: None, metadata: None, trust: 1.0 }
    }
}

/// By what chunks are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchMode {
    /// Vectors and words, by reciprocal rank fusion.
    #[default]
    Hybrid,
    /// The cosine of vectors.
    Dense,
    /// BM25.
    Words,
}

/// What a search finds.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// By what.
    pub mode: SearchMode,
    /// The most chunks; 0: 5.
    pub k: u32,
    /// The most chunks of one document; 0: any number.
    pub per_document: u32,
    /// A JSON object that the metadata must satisfy: `{"lang": "en", "year": {"$gte": 2020}}`. `lq_rag.h` lists the operators.
    pub filter: Option<String>,
    /// Of documents.
    pub min_trust: f64,
    /// 1: by score alone; less: each next chunk also for being unlike those before.
    pub mmr: f64,
    /// Not by the approximate index, if there is one.
    pub exact: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        SearchOptions {
            mode: SearchMode::Hybrid,
            k: 0,
            per_document: 0,
            filter: None,
            min_trust: 0.0,
            mmr: 1.0,
            exact: false,
        }
    }
}

impl SearchOptions {
    /// Valid as long as the string beside it.
    fn raw(&self) -> Result<(ffi::lq_search_options, Option<CString>)> {
        let filter = optional(self.filter.as_deref(), "the filter")?;
        let o = ffi::lq_search_options {
            mode: match self.mode {
                SearchMode::Hybrid => ffi::LQ_SEARCH_HYBRID,
                SearchMode::Dense => ffi::LQ_SEARCH_DENSE,
                SearchMode::Words => ffi::LQ_SEARCH_WORDS,
            },
            k: self.k,
            per_document: self.per_document,
            filter: pointer(&filter),
            min_trust: self.min_trust,
            mmr: self.mmr,
            exact: flag(self.exact),
            ..ffi::LQ_SEARCH_OPTIONS_INIT
        };
        Ok((o, filter))
    }
}

/// How a question is answered from a store.
#[derive(Debug, Clone)]
pub struct AskOptions {
    /// Of the answer; 0: 200.
    pub max_tokens: u32,
    /// Tokens of prompt and answer; 0: what the session holds. Sources without room are left out.
    pub budget: u32,
    /// Believe all sources. Otherwise those that give orders to the model are left out, and of different answers one is believed.
    pub no_guards: bool,
    /// Below this cosine of the best source there is no answer; 0.35.
    pub threshold: f64,
    /// Instead of "answer briefly from the sources alone, and cite them".
    pub instructions: Option<String>,
    /// What is looked for.
    pub search: SearchOptions,
    /// A way to stop it from another thread.
    pub cancel: Option<CancelToken>,
}

impl Default for AskOptions {
    fn default() -> Self {
        let search = SearchOptions::default();
        AskOptions {
            max_tokens: 0,
            budget: 0,
            no_guards: false,
            threshold: 0.35,
            instructions: None,
            search,
            cancel: None,
        }
    }
}

/// Documents in one SQLite file: their texts, cut into chunks, with vectors and a full-text index. What its calls tell is JSON, as
/// `lq_rag.h` describes it.
///
/// `Send`, not `Sync`. Any number of stores, in any number of processes, may read a file while one writes it. A library built
/// without stores answers `Unsupported`.
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// use loquor::{Document, Model, Store};
/// let (encoder, model) = (Model::load("all-MiniLM-L6-v2")?, Model::load("smollm2")?);
/// let mut store = Store::open("notes.db", Some(&encoder))?;
/// store.add(&[Document::new("sky", "The sky is blue because air scatters blue light more than red.")])?;
/// println!("{}", store.search("colour of the sky", &Default::default())?);
/// println!("{}", store.ask(&mut model.session()?, "Why is the sky blue?", &Default::default())?);
/// # Ok(()) }
/// ```
pub struct Store {
    raw: Handle<ffi::lq_store>, // dropped before the encoder, which it keeps alive
    _encoder: Option<Model>,
}

impl Store {
    /// Opens the file, or makes it. The encoder (a text encoder's model) makes the vectors; without, only words are searched. Errors:
    /// `Mismatch` (made with another encoder), `Unsupported`, `BadFile` (no store), `Io`, `InvalidArgument`.
    pub fn open(file: impl AsRef<Path>, encoder: Option<&Model>) -> Result<Store> {
        Store::open_with(file, encoder, &StoreOptions::default())
    }

    /// The same with options.
    pub fn open_with(file: impl AsRef<Path>, encoder: Option<&Model>, options: &StoreOptions) -> Result<Store> {
        let file = path(file.as_ref())?;
        let o = ffi::lq_store_options {
            read_only: flag(options.read_only),
            chunk_tokens: options.chunk_tokens,
            overlap: options.overlap,
            whole_documents: flag(options.whole_documents),
            ..ffi::LQ_STORE_OPTIONS_INIT
        };
        let model = encoder.map_or(std::ptr::null_mut(), Model::raw);
        // SAFETY: an out-parameter, a NUL-terminated path, a live handle or NULL, options that live until the call returns.
        let raw = Handle::make(ffi::lq_store_free, |out| unsafe { ffi::lq_store_open(out, file.as_ptr(), model, &o) })?;
        Ok(Store { raw, _encoder: encoder.cloned() })
    }

    /// Adds documents, each with all it has or not at all. Those that are empty or not new are told of in the report: `{"added",
    /// "replaced", "unchanged", "duplicates", "chunks", "failed": [{"key", "reason"}]}`. Errors: `Io`.
    pub fn add(&mut self, documents: &[Document]) -> Result<String> {
        self.add_with(documents, |_, _| ControlFlow::Continue(()), None)
    }

    /// The same; `progress` is told of documents done and all. What it was told of is kept, whatever happens. Errors: `Cancelled`.
    pub fn add_with(
        &mut self,
        documents: &[Document],
        progress: impl FnMut(u32, u32) -> ControlFlow<()>,
        cancel: Option<&CancelToken>,
    ) -> Result<String> {
        let words = documents.iter().map(Words::of).collect::<Result<Vec<_>>>()?;
        let list: Vec<_> = documents.iter().zip(&words).map(|(d, w)| w.document(d)).collect();
        let cancel = cancel::raw(&cancel.cloned());
        // SAFETY: as many documents as said, whose strings live until the call returns; so does the callback.
        count(progress, |f, user| unsafe {
            report(|out| ffi::lq_store_add(out, self.raw.raw(), list.as_ptr(), list.len(), f, user, cancel))
        })
    }

    /// Whether there was a document of this key, which is gone now.
    pub fn remove(&mut self, key: &str) -> Result<bool> {
        let (key, mut found) = (cstring(key, "the key")?, 0);
        // SAFETY: an out-parameter, a live handle, a NUL-terminated key.
        check(unsafe { ffi::lq_store_remove(&mut found, self.raw.raw(), key.as_ptr()) })?;
        Ok(found != 0)
    }

    /// The text of a document, in which "begin" and "end" of what is found are bytes. Errors: `NotFound`.
    pub fn text(&mut self, key: &str) -> Result<String> {
        let key = cstring(key, "the key")?;
        // SAFETY: a buffer of the given capacity, a live handle, a NUL-terminated key.
        let text = bytes(|out, capacity, length| unsafe {
            ffi::lq_store_text(out, capacity, length, self.raw.raw(), key.as_ptr())
        })?;
        Ok(lossy(text))
    }

    /// Makes an approximate index of the vectors in a file beside the store's: worth it from some ten thousand chunks on.
    pub fn index(
        &mut self,
        progress: impl FnMut(u32, u32) -> ControlFlow<()>,
        cancel: Option<&CancelToken>,
    ) -> Result<()> {
        let cancel = cancel::raw(&cancel.cloned());
        // SAFETY: a live handle; the callback lives until the call returns.
        count(progress, |f, user| check(unsafe { ffi::lq_store_index(self.raw.raw(), f, user, cancel) }))
    }

    /// `{"documents", "chunks", "dimension", "encoder", "chunk_tokens", "overlap", "whole_documents", "indexed"}`, and "keys".
    pub fn info(&mut self, keys: bool) -> Result<String> {
        // SAFETY: a live handle.
        report(|out| unsafe { ffi::lq_store_info(out, self.raw.raw(), flag(keys)) })
    }

    /// The best chunks first: `[{"key", "title", "source", "heading", "begin", "end", "text", "trust", "score", "bm25", "cosine",
    /// "metadata"}]`. Errors: `InvalidArgument` (the filter), `Unsupported` (dense search without vectors), `Io`.
    pub fn search(&mut self, query: &str, options: &SearchOptions) -> Result<String> {
        let (o, _filter) = options.raw()?;
        // SAFETY: a live handle, a text of the given length, options that live until the call returns.
        report(|out| unsafe { ffi::lq_store_search(out, self.raw.raw(), query.as_ptr().cast(), query.len(), &o) })
    }

    /// Answers a question by the session's model; the session's contents are replaced. `{"text", "abstained", "conflict",
    /// "citations", "sources", "prompt_tokens", "answer_tokens"}`.
    pub fn ask(&mut self, session: &mut Session, question: &str, options: &AskOptions) -> Result<String> {
        self.ask_with(session, question, options, |_| ControlFlow::Continue(()))
    }

    /// The same; the answer is also given piece by piece, as it is made. `Break` ends it.
    pub fn ask_with(
        &mut self,
        session: &mut Session,
        question: &str,
        options: &AskOptions,
        stream: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<String> {
        let (search, _filter) = options.search.raw()?;
        let instructions = optional(options.instructions.as_deref(), "the instructions")?;
        let mut callback = Callback::new(stream);
        let o = ffi::lq_ask_options {
            max_tokens: options.max_tokens,
            budget: options.budget,
            no_guards: flag(options.no_guards),
            threshold: options.threshold,
            instructions: pointer(&instructions),
            search: &search,
            stream: Some(text_of(&callback)),
            stream_user: (&mut callback as *mut Callback<_>).cast(),
            cancel: cancel::raw(&options.cancel),
            ..ffi::LQ_ASK_OPTIONS_INIT
        };
        let (text, length) = (question.as_ptr().cast(), question.len());
        // SAFETY: live handles, a text of the given length, options that live until the call returns.
        let told = report(|out| unsafe { ffi::lq_store_ask(out, self.raw.raw(), session.raw(), text, length, &o) });
        callback.finish();
        told
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A document's strings as C wants them.
struct Words {
    key: CString,
    title: Option<CString>,
    source: Option<CString>,
    metadata: Option<CString>,
}

impl Words {
    fn of(d: &Document) -> Result<Words> {
        Ok(Words {
            key: cstring(d.key.as_str(), "a key")?,
            title: optional(d.title.as_deref(), "a title")?,
            source: optional(d.source.as_deref(), "a source")?,
            metadata: optional(d.metadata.as_deref(), "metadata")?,
        })
    }

    /// Valid as long as both.
    fn document(&self, d: &Document) -> ffi::lq_document {
        ffi::lq_document {
            kind: match d.kind {
                TextKind::Plain => ffi::LQ_TEXT_PLAIN,
                TextKind::Markdown => ffi::LQ_TEXT_MARKDOWN,
                TextKind::Code => ffi::LQ_TEXT_CODE,
                TextKind::Html => ffi::LQ_TEXT_HTML,
            },
            key: self.key.as_ptr(),
            text: d.text.as_ptr().cast(),
            length: d.text.len(),
            title: pointer(&self.title),
            source: pointer(&self.source),
            metadata: pointer(&self.metadata),
            trust: d.trust,
            ..ffi::LQ_DOCUMENT_INIT
        }
    }
}

/// Makes a call with a callback that counts.
fn count<F: FnMut(u32, u32) -> ControlFlow<()>, T>(f: F, call: impl FnOnce(ffi::lq_count_fn, *mut c_void) -> T) -> T {
    unsafe extern "C" fn on_count<F: FnMut(u32, u32) -> ControlFlow<()>>(n: u32, all: u32, user: *mut c_void) -> c_int {
        // SAFETY: `user` is the callback below, which is waiting for this very thread.
        unsafe { &mut *user.cast::<Callback<F>>() }.run(|f| f(n, all))
    }
    let mut callback = Callback::new(f);
    let out = call(Some(on_count::<F>), (&mut callback as *mut Callback<F>).cast());
    callback.finish();
    out
}

type OnText = unsafe extern "C" fn(*const c_char, usize, *mut c_void) -> c_int;

/// What calls this callback with a piece of text.
fn text_of<F: FnMut(&str) -> ControlFlow<()>>(_callback: &Callback<F>) -> OnText {
    unsafe extern "C" fn on_text<F: FnMut(&str) -> ControlFlow<()>>(
        text: *const c_char,
        length: usize,
        user: *mut c_void,
    ) -> c_int {
        // SAFETY: `user` is the callback that waits for this very thread; the text is borrowed for the call.
        let (callback, piece) = unsafe { (&mut *user.cast::<Callback<F>>(), slice(text.cast::<u8>(), length)) };
        callback.run(|f| f(&String::from_utf8_lossy(piece)))
    }
    on_text::<F>
}

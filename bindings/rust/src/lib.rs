//! Language models inside your own program: a safe layer over the C interface of Loquor (`loquor.h`), whose comments say more
//! about what each call does.
//!
//! ```no_run
//! use loquor::{GenerateOptions, Message, Model};
//!
//! fn main() -> loquor::Result<()> {
//!     let model = Model::load("smollm2")?; // a short name, a GGUF file, a Hugging Face folder
//!     let mut session = model.session()?;
//!     let question = [Message::user("Why is the sky blue?")];
//!     for piece in session.stream(&question, &GenerateOptions::new().max_tokens(80))? {
//!         print!("{}", piece?);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Ownership and threads
//!
//! What is made of a model keeps it alive; things may be dropped in any order.
//!
//! | | `Send` | `Sync` | |
//! |---|---|---|---|
//! | [`Context`], [`Model`], [`Adapter`], [`ChatTemplate`], [`Grammar`], [`PrefixCache`] | yes | yes | immutable; a clone is another reference |
//! | [`CancelToken`], [`SessionCanceller`] | yes | yes | to stop what runs in another thread |
//! | [`GenerateOptions`] | yes | yes | a value |
//! | [`Session`], [`Batch`], [`Embedder`], [`Store`], [`ComposedPrompt`], [`TokenDecoder`], [`Events`], [`Stream`] | yes | no | one thread at a time, by `&mut` |
//!
//! # Errors and panics
//!
//! Every failure is an [`Error`] with an [`ErrorKind`], the status of the C interface; it becomes a [`std::io::Error`] with `?`. A
//! panic in a callback of yours does not unwind through C: the call is stopped, and the panic goes on where it was made.
//!
//! # Linking
//!
//! The build script looks for the library in `LOQUOR_LIB_DIR`, then asks `pkg-config loquor`. The crate has no dependencies.

mod adapter;
mod batch;
mod cancel;
mod chat;
mod composed;
mod context;
mod embed;
mod error;
mod event;
#[allow(missing_docs)]
mod ffi;
mod generate;
mod grammar;
mod model;
mod sampler;
mod session;
mod store;
mod stream;
mod tokens;
mod util;

pub use adapter::Adapter;
pub use batch::{Batch, PrefixCache, PrefixCacheStats};
pub use cancel::{CancelToken, SessionCanceller};
pub use chat::{ChatOptions, ChatTemplate, Message};
pub use composed::ComposedPrompt;
pub use context::{isa_list, version, Context, ContextOptions, LogLevel};
pub use embed::{Embedder, EmbedderOptions};
pub use error::{Error, ErrorKind, Result};
pub use event::{Event, Finish, Generation, TokenEvent, TokenLogprob};
pub use generate::{GenerateOptions, Prompt};
pub use grammar::{tool_calls, Grammar, SchemaOptions, ToolChoice};
pub use model::{LoadOptions, Model, ModelInfo};
pub use sampler::{sample, sampler_names, Candidate, Candidates};
pub use session::{Session, SessionOptions};
pub use store::{AskOptions, Document, SearchMode, SearchOptions, Store, StoreOptions, TextKind};
pub use stream::{Events, Stream, UNLIMITED};
pub use tokens::{Token, TokenDecoder, TokenKind, TokenizeOptions};

// What the table above says.
const _: () = {
    const fn send<T: Send>() {}
    const fn send_sync<T: Send + Sync>() {}
    send_sync::<(Context, Model, Adapter, ChatTemplate, Grammar, PrefixCache)>();
    send_sync::<(CancelToken, SessionCanceller, GenerateOptions, Error)>();
    send::<(Session, Batch, Embedder, Store, ComposedPrompt, TokenDecoder, Events<'static>, Stream<'static>)>();
};

#[cfg(test)]
mod tests {
    use crate::ffi;

    /// The layout that a C compiler found, from the file that the library's own tests keep (LQ_ABI_FILE). A structure may be
    /// larger here: they grow at the end.
    #[test]
    fn structures_are_laid_out_as_in_c() {
        let Ok(file) = std::env::var("LQ_ABI_FILE") else {
            println!("SKIPPED: needs LQ_ABI_FILE");
            return;
        };
        let mut compared = 0;
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let Some((_, value)) = ffi::CONSTANTS.iter().find(|c| c.0 == words[0]) {
                assert_eq!(value.to_string(), words[1], "{line}");
                compared += 1;
            }
            if let Some((_, at, size)) = ffi::LAYOUT.iter().find(|f| f.0 == words[0]) {
                let promised: usize = words[1].parse().unwrap();
                match words.get(2) {
                    Some(&bytes) => assert_eq!((*at, size.to_string().as_str()), (promised, bytes), "{line}"),
                    None => assert!(*at >= promised, "{line}"),
                }
                compared += 1;
            }
        }
        assert!(compared > 250, "only {compared} lines were understood");
    }
}

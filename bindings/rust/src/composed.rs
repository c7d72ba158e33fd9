//! Prompts composed of a role, instructions, examples and a question, and ways of asking.

use crate::cancel::{self, CancelToken};
use crate::error::Result;
use crate::ffi;
use crate::model::Model;
use crate::session::Session;
use crate::util::{report, Handle};
use std::fmt;

/// Who is asked, and how: role, instructions, examples, reasoning before the answer, votes of several chains. `Send`, not `Sync`.
///
/// Options are a JSON object, all of whose members may be left out: "role", "instructions", "examples", "shots", "choice",
/// "reasoning_tokens", "votes", "temperature", one of "choices", "regex", "json_schema" and "gbnf", "max_tokens", "budget", "raw",
/// "seed". `lq_prompt.h` and `docs/prompting.md` say what they do.
///
/// ```
/// # fn main() -> loquor::Result<()> {
/// use loquor::{ComposedPrompt, ErrorKind};
/// let options = r#"{"role": "You are a teacher.", "examples": [{"input": "2+2", "output": "4"}], "regex": "[0-9]+"}"#;
/// let prompt = ComposedPrompt::new(options, None)?;
/// # drop(prompt);
/// assert_eq!(ComposedPrompt::new(r#"{"rôle": 1}"#, None).unwrap_err().kind(), ErrorKind::InvalidArgument);
/// # Ok(()) }
/// ```
pub struct ComposedPrompt {
    raw: Handle<ffi::lq_prompt>, // dropped before the encoder, which it keeps alive
    _encoder: Option<Model>,
}

impl ComposedPrompt {
    /// The encoder (a text encoder's model) is needed for the choice "nearest" of examples. Errors: `InvalidArgument` naming the
    /// member, and those of [`Grammar`](crate::Grammar).
    pub fn new(options: &str, encoder: Option<&Model>) -> Result<ComposedPrompt> {
        let model = encoder.map_or(std::ptr::null_mut(), Model::raw);
        // SAFETY: an out-parameter, a text of the given length, a live handle or NULL.
        let raw = Handle::make(ffi::lq_prompt_free, |out| unsafe {
            ffi::lq_prompt_create(out, options.as_ptr().cast(), options.len(), model)
        })?;
        Ok(ComposedPrompt { raw, _encoder: encoder.cloned() })
    }

    /// Asks; the session's contents are replaced. JSON: `{"text", "reasoning", "share", "votes", "shown", "dropped", "prompt_tokens",
    /// "generated_tokens"}`. Errors: `ContextFull`, `NotFound` (no chat template), `Template`, `Cancelled`.
    pub fn ask(&mut self, session: &mut Session, question: &str, cancel: Option<&CancelToken>) -> Result<String> {
        let (text, length, cancel) = (question.as_ptr().cast(), question.len(), cancel::raw(&cancel.cloned()));
        // SAFETY: live handles, a text of the given length.
        report(|out| unsafe { ffi::lq_prompt_ask(out, self.raw.raw(), session.raw(), text, length, cancel) })
    }

    /// The prompt of a question without asking it, for a budget of so many tokens (0: as the model was trained). JSON: `{"text",
    /// "tokens", "shown", "dropped"}`.
    pub fn build(&mut self, model: &Model, question: &str, budget: u32) -> Result<String> {
        let (text, length) = (question.as_ptr().cast(), question.len());
        // SAFETY: live handles, a text of the given length.
        report(|out| unsafe { ffi::lq_prompt_build(out, self.raw.raw(), model.raw(), text, length, budget) })
    }
}

impl fmt::Debug for ComposedPrompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComposedPrompt").finish_non_exhaustive()
    }
}

//! Grammars: forms to which generated text can be held.

use crate::error::Result;
use crate::ffi;
use crate::util::{check, cstring, flag, optional, pointer, text, Handle};
use std::fmt;
use std::sync::Arc;

/// A set of texts, to which what is generated can be held: valid by construction, not by trying again. `docs/constrained.md`
/// lists what each notation knows; what it does not is refused by name, never loosened.
///
/// Of no particular model. What is worked out for a model's vocabulary is kept with the model while the grammar lives, so use
/// one for all generations that need it. `Send` and `Sync`; clones share it.
///
/// ```
/// # fn main() -> loquor::Result<()> {
/// use loquor::{Grammar, SchemaOptions};
/// let schema = r#"{"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}"#;
/// let person = Grammar::from_json_schema(schema, SchemaOptions { closed: true, ..Default::default() })?;
/// assert!(person.accepts(r#"{"age": 7}"#)?);
/// assert!(!person.accepts(r#"{"age": -7}"#)?);
/// # Ok(()) }
/// ```
///
/// With a model:
///
/// ```no_run
/// # fn main() -> loquor::Result<()> {
/// # let model = loquor::Model::load("smollm2")?;
/// use loquor::{GenerateOptions, Grammar};
/// let options = GenerateOptions::new().grammar(&Grammar::from_choices(["yes", "no"])?);
/// println!("{}", model.session()?.generate("Is the sky blue? Answer:", &options)?.text);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Grammar {
    inner: Arc<Inner>,
}

struct Inner(Handle<ffi::lq_grammar>);

// SAFETY: grammars are immutable, and every call on one may come from any thread at any time (lq_grammar.h).
unsafe impl Sync for Inner {}

/// How JSON of a schema is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchemaOptions {
    /// No white space in the JSON.
    pub compact: bool,
    /// Objects with "properties" and no word on "additionalProperties" have no others. Small models ramble there otherwise.
    pub closed: bool,
}

/// Whether an answer may, must or must not be calls of tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    /// Text or calls.
    #[default]
    Auto,
    /// Calls.
    Required,
    /// A call of the tool of this name.
    Function(&'a str),
}

impl Grammar {
    fn make(create: impl FnOnce(*mut *mut ffi::lq_grammar) -> ffi::lq_status) -> Result<Grammar> {
        Ok(Grammar { inner: Arc::new(Inner(Handle::make(ffi::lq_grammar_free, create)?)) })
    }

    /// GBNF, the notation of llama.cpp, beginning with the rule "root". In it `%json{...}` stands for JSON of the schema in
    /// the braces. Errors, here and below: `InvalidArgument` for what is malformed, with its place; `Unsupported`, by name;
    /// `Limit`.
    pub fn from_gbnf(source: &str) -> Result<Grammar> {
        Grammar::gbnf(source, None)
    }

    /// The same, beginning with another rule.
    pub fn from_gbnf_rule(source: &str, root: &str) -> Result<Grammar> {
        Grammar::gbnf(source, Some(root))
    }

    fn gbnf(source: &str, root: Option<&str>) -> Result<Grammar> {
        let root = optional(root, "the rule's name")?;
        // SAFETY: an out-parameter, a text of the given length, a NUL-terminated name or NULL.
        Grammar::make(|out| unsafe {
            ffi::lq_grammar_from_gbnf(out, source.as_ptr().cast(), source.len(), pointer(&root))
        })
    }

    /// JSON of a schema, draft 2020-12. Objects have their declared properties in the schema's order, then the others.
    pub fn from_json_schema(schema: &str, options: SchemaOptions) -> Result<Grammar> {
        let o = ffi::lq_schema_options {
            compact: flag(options.compact),
            closed: flag(options.closed),
            ..ffi::LQ_SCHEMA_OPTIONS_INIT
        };
        // SAFETY: an out-parameter, a text of the given length, options that live until the call returns.
        Grammar::make(|out| unsafe { ffi::lq_grammar_from_json_schema(out, schema.as_ptr().cast(), schema.len(), &o) })
    }

    /// A regular expression that the whole text matches: ECMAScript's notation without look-around and back-references.
    ///
    /// ```
    /// # fn main() -> loquor::Result<()> {
    /// let phone = loquor::Grammar::from_regex("[0-9]{3}-[0-9]{4}")?;
    /// assert!(phone.accepts("555-0199")?);
    /// # Ok(()) }
    /// ```
    pub fn from_regex(pattern: &str) -> Result<Grammar> {
        // SAFETY: an out-parameter, a text of the given length.
        Grammar::make(|out| unsafe { ffi::lq_grammar_from_regex(out, pattern.as_ptr().cast(), pattern.len()) })
    }

    /// One of these texts, none of them empty.
    pub fn from_choices<S: AsRef<str>>(choices: impl IntoIterator<Item = S>) -> Result<Grammar> {
        let choices = choices.into_iter().map(|s| cstring(s.as_ref(), "a choice")).collect::<Result<Vec<_>>>()?;
        let list: Vec<_> = choices.iter().map(|s| s.as_ptr()).collect();
        // SAFETY: an out-parameter, as many NUL-terminated strings as said.
        Grammar::make(|out| unsafe { ffi::lq_grammar_from_choices(out, list.as_ptr(), list.len()) })
    }

    /// What an answer may be when there are tools: a JSON array of functions as in OpenAI's chat API. `parallel`: up to eight
    /// calls, else one. The tools also go into the prompt: [`ChatOptions::tools`](crate::ChatOptions::tools).
    pub fn from_tools(tools: &str, choice: ToolChoice<'_>, parallel: bool) -> Result<Grammar> {
        let choice = cstring(
            match choice {
                ToolChoice::Auto => "auto",
                ToolChoice::Required => "required",
                ToolChoice::Function(name) => name,
            },
            "the tool's name",
        )?;
        // SAFETY: an out-parameter, a text of the given length, a NUL-terminated name.
        Grammar::make(|out| unsafe {
            let parallel = flag(parallel);
            ffi::lq_grammar_from_tools(out, tools.as_ptr().cast(), tools.len(), choice.as_ptr(), parallel)
        })
    }

    pub(crate) fn raw(&self) -> *mut ffi::lq_grammar {
        self.inner.0.raw()
    }

    /// Whether the text is one of the grammar's. Errors: `Limit` if it can be read in too many ways.
    pub fn accepts(&self, text: &str) -> Result<bool> {
        let mut yes = 0;
        // SAFETY: an out-parameter, a live handle, a text of the given length.
        check(unsafe { ffi::lq_grammar_accepts(&mut yes, self.raw(), text.as_ptr().cast(), text.len()) })?;
        Ok(yes != 0)
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").finish_non_exhaustive()
    }
}

/// The calls in an answer that was held to [`Grammar::from_tools`], as JSON: `{"content": the text before them or null,
/// "tool_calls": [{"name": ..., "arguments": {...}}, ...]}`.
pub fn tool_calls(answer: &str) -> Result<String> {
    // SAFETY: a buffer of the given capacity, a text of the given length.
    text(|out, capacity, length| unsafe {
        ffi::lq_tool_calls_json(out, capacity, length, answer.as_ptr().cast(), answer.len())
    })
}

//! Conversations and chat templates.

use crate::error::Result;
use crate::ffi;
use crate::model::Model;
use crate::tokens::Token;
use crate::util::{cstring, flag, ids, text, Handle};
use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

/// One message of a conversation.
///
/// ```
/// use loquor::Message;
/// let talk = [Message::system("You answer in one word."), Message::user("Is water wet?")];
/// # let _ = talk;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// "system", "user", "assistant", "tool", or what the template knows.
    pub role: String,
    /// The text.
    pub content: String,
    /// A JSON object whose members the template sees beside role and content: "tool_calls", "name", ...
    pub extra: Option<String>,
}

impl Message {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Message {
        Message { role: role.into(), content: content.into(), extra: None }
    }

    /// Who the model is and what it is to do.
    pub fn system(content: impl Into<String>) -> Message {
        Message::new("system", content)
    }

    /// What the user said.
    pub fn user(content: impl Into<String>) -> Message {
        Message::new("user", content)
    }

    /// What the model said.
    pub fn assistant(content: impl Into<String>) -> Message {
        Message::new("assistant", content)
    }

    /// The result of a tool.
    pub fn tool(content: impl Into<String>) -> Message {
        Message::new("tool", content)
    }

    /// With a JSON object of what the template sees besides.
    pub fn with_extra(mut self, json: impl Into<String>) -> Message {
        self.extra = Some(json.into());
        self
    }
}

/// What a template sees besides the messages, and the bounds of its sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatOptions {
    /// Do not end with the words that open the assistant's turn.
    pub no_generation_prompt: bool,
    /// A JSON array of tools. A template that knows none gets them described in the system message.
    pub tools: Option<String>,
    /// A JSON object of further variables.
    pub extra: Option<String>,
    /// Steps of the interpreter; 0: 5,000,000. Each bound can only be lowered.
    pub max_steps: u64,
    /// Bytes of live values; 0: 64 MiB.
    pub max_memory: u64,
    /// Bytes of rendered text; 0: 16 MiB.
    pub max_output: u64,
}

/// Text and its length; NULL and 0 for none.
fn json(s: &Option<String>) -> (*const std::os::raw::c_char, usize) {
    // A length of 0 would mean "up to the NUL", which a Rust string lacks.
    s.as_deref().filter(|s| !s.is_empty()).map_or((std::ptr::null(), 0), |s| (s.as_ptr().cast(), s.len()))
}

impl ChatOptions {
    /// Valid as long as `self` is not changed.
    pub(crate) fn raw(&self) -> ffi::lq_chat_options {
        let ((tools_json, tools_json_length), (extra_json, extra_json_length)) = (json(&self.tools), json(&self.extra));
        ffi::lq_chat_options {
            no_generation_prompt: flag(self.no_generation_prompt),
            tools_json,
            tools_json_length,
            extra_json,
            extra_json_length,
            max_steps: self.max_steps,
            max_memory: self.max_memory,
            max_output: self.max_output,
            ..ffi::LQ_CHAT_OPTIONS_INIT
        }
    }
}

/// Messages as C sees them; the texts are borrowed.
pub(crate) struct RawMessages<'a> {
    pub(crate) list: Vec<ffi::lq_message>,
    _roles: Vec<CString>,
    _messages: &'a [Message],
}

impl<'a> RawMessages<'a> {
    pub(crate) fn new(messages: &'a [Message]) -> Result<Self> {
        let roles = messages.iter().map(|m| cstring(m.role.as_str(), "a role")).collect::<Result<Vec<_>>>()?;
        let list = messages
            .iter()
            .zip(&roles)
            .map(|(m, role)| {
                let (extra_json, extra_json_length) = json(&m.extra);
                ffi::lq_message {
                    role: role.as_ptr(),
                    content: m.content.as_ptr().cast(),
                    content_length: m.content.len(),
                    extra_json,
                    extra_json_length,
                    ..ffi::LQ_MESSAGE_INIT
                }
            })
            .collect();
        Ok(RawMessages { list, _roles: roles, _messages: messages })
    }
}

/// A compiled Jinja template. It runs in a sandbox: no files, no network, no environment, bounded steps and memory.
///
/// `Send` and `Sync`; clones share it.
#[derive(Clone)]
pub struct ChatTemplate {
    inner: Arc<Inner>,
}

struct Inner(Handle<ffi::lq_chat_template>);

// SAFETY: chat templates are immutable, and every call on one may come from any thread at any time (lq_base.h).
unsafe impl Sync for Inner {}

impl ChatTemplate {
    /// The model's own template. Errors: `NotFound` if it has none, `Template`, `Limit`.
    pub fn of(model: &Model) -> Result<ChatTemplate> {
        ChatTemplate::make(Some(model), None)
    }

    /// Compiles a template. A model gives it the texts of `bos_token` and `eos_token`. Errors: `Template` with the line, `Limit`.
    ///
    /// ```
    /// # fn main() -> loquor::Result<()> {
    /// use loquor::{ChatOptions, ChatTemplate, Message};
    /// let template = ChatTemplate::new("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}", None)?;
    /// assert_eq!(template.render(&[Message::user("Hi!")], &ChatOptions::default())?, "user: Hi!\n");
    /// # Ok(()) }
    /// ```
    pub fn new(source: &str, model: Option<&Model>) -> Result<ChatTemplate> {
        ChatTemplate::make(model, Some(source))
    }

    fn make(model: Option<&Model>, source: Option<&str>) -> Result<ChatTemplate> {
        let raw = model.map_or(std::ptr::null_mut(), Model::raw);
        let (start, length) = source.map_or((std::ptr::null(), 0), |s| (s.as_ptr().cast(), s.len()));
        // SAFETY: an out-parameter, a live handle or NULL, a text of the given length.
        let made = Handle::make(ffi::lq_chat_template_free, |out| unsafe {
            ffi::lq_chat_template_create(out, raw, start, length)
        })?;
        Ok(ChatTemplate { inner: Arc::new(Inner(made)) })
    }

    /// The text of a prompt. Errors: `Template`, `Limit`, `InvalidArgument` for JSON that does not parse.
    pub fn render(&self, messages: &[Message], options: &ChatOptions) -> Result<String> {
        let (m, o) = (RawMessages::new(messages)?, options.raw());
        // SAFETY: a buffer of the given capacity, a live handle, as many messages as said.
        text(|out, capacity, length| unsafe {
            ffi::lq_chat_render(out, capacity, length, self.inner.0.raw(), m.list.as_ptr(), m.list.len(), &o)
        })
    }

    /// The tokens of a prompt. The template's own text may hold control tokens; what came from the messages is plain text, so a
    /// user who writes `<|im_end|>` ends nothing.
    pub fn tokenize(&self, model: &Model, messages: &[Message], options: &ChatOptions) -> Result<Vec<Token>> {
        let (m, o) = (RawMessages::new(messages)?, options.raw());
        // SAFETY: as above.
        ids(256, |out, capacity, count| unsafe {
            let (list, n) = (m.list.as_ptr(), m.list.len());
            ffi::lq_chat_tokenize(out, capacity, count, model.raw(), self.inner.0.raw(), list, n, &o)
        })
    }
}

impl fmt::Debug for ChatTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatTemplate").finish_non_exhaustive()
    }
}

impl Model {
    /// The prompt that the model's own chat template makes of messages. Compile a [`ChatTemplate`] for more of it.
    pub fn render(&self, messages: &[Message]) -> Result<String> {
        ChatTemplate::of(self)?.render(messages, &ChatOptions::default())
    }
}

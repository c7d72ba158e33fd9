//! What a generation begins with, and how it goes.

use crate::cancel::{self, CancelToken};
use crate::chat::{ChatOptions, Message};
use crate::error::Result;
use crate::ffi;
use crate::grammar::Grammar;
use crate::sampler::{HostCall, Stage};
use crate::tokens::Token;
use crate::util::{check, cstring, flag, Handle};
use std::ffi::CString;
use std::os::raw::c_char;
use std::sync::Arc;

/// What a generation begins with. Made of `&str`, `&[Token]`, `&[Message]` and references to what holds these by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prompt<'a> {
    /// A text as it is.
    Text(&'a str),
    /// Tokens.
    Tokens(&'a [Token]),
    /// A conversation, through the model's own chat template. Repeat it with the messages so far and only the new ones are
    /// computed.
    Chat(&'a [Message]),
    /// Goes on from what the session holds.
    Continue,
}

macro_rules! prompt_from {
    ($([$($generics:tt)*] $from:ty => $variant:ident),* $(,)?) => {
        $(impl<'a, $($generics)*> From<&'a $from> for Prompt<'a> {
            fn from(p: &'a $from) -> Prompt<'a> {
                Prompt::$variant(p)
            }
        })*
    };
}
prompt_from!([] str => Text, [] String => Text, [] [Token] => Tokens, [] Vec<Token> => Tokens, [const N: usize] [Token; N] => Tokens,
    [] [Message] => Chat, [] Vec<Message> => Chat, [const N: usize] [Message; N] => Chat);

/// How a generation goes. The default is greedy and goes on until the model ends its text or the context is full.
///
/// ```
/// use loquor::GenerateOptions;
/// let options = GenerateOptions::new().max_tokens(80).top_k(40).top_p(0.95).temperature(0.8).seed(7).stop("\n\n");
/// # let _ = options;
/// ```
///
/// The stages of the sampler run in the order in which they were added.
#[derive(Debug, Clone, Default)]
pub struct GenerateOptions {
    max_tokens: u32,
    stop: Vec<String>,
    stop_tokens: Vec<Token>,
    stages: Vec<Stage>,
    bias: Vec<(Token, f32)>,
    seed: u64,
    logprobs: u32,
    ignore_end: bool,
    append: bool,
    parse_special: bool,
    no_begin: bool,
    lookup: i32,
    cancel: Option<CancelToken>,
    grammar: Option<Grammar>,
    pub(crate) chat: ChatOptions,
}

impl GenerateOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most tokens to make; 0: until the model ends or the context is full.
    pub fn max_tokens(mut self, n: u32) -> Self {
        self.max_tokens = n;
        self
    }

    /// The text ends before this string. May be said several times.
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }

    /// A token that ends the text, besides the model's own. May be said several times.
    pub fn stop_token(mut self, token: Token) -> Self {
        self.stop_tokens.push(token);
        self
    }

    /// Divides the logits; 0 is greedy.
    pub fn temperature(self, t: f64) -> Self {
        self.stage("temperature", &[t])
    }

    /// Keeps the k most probable tokens; 0 keeps all.
    pub fn top_k(self, k: u32) -> Self {
        self.stage("top_k", &[f64::from(k)])
    }

    /// Keeps the smallest set of the most probable tokens that sums to p or more; in (0, 1].
    pub fn top_p(self, p: f64) -> Self {
        self.stage("top_p", &[p])
    }

    /// Keeps what is at least p times as probable as the best; in [0, 1].
    pub fn min_p(self, p: f64) -> Self {
        self.stage("min_p", &[p])
    }

    /// Locally typical sampling; in (0, 1].
    pub fn typical_p(self, p: f64) -> Self {
        self.stage("typical_p", &[p])
    }

    /// Makes the last 64 tokens less probable; over 0, where 1 does nothing.
    pub fn repeat_penalty(self, r: f64) -> Self {
        self.stage("repeat_penalty", &[r])
    }

    /// Subtracted from a logit once for each occurrence among the last 64 tokens.
    pub fn frequency_penalty(self, x: f64) -> Self {
        self.stage("frequency_penalty", &[x])
    }

    /// Subtracted once from the logit of each of the last 64 tokens.
    pub fn presence_penalty(self, x: f64) -> Self {
        self.stage("presence_penalty", &[x])
    }

    /// A stage by its name and values, as `lq_sampler.h` lists them: `.stage("repeat_penalty", &[1.1, 256.0])`. What is wrong
    /// with them is said when the generation starts.
    pub fn stage(mut self, name: impl Into<String>, values: &[f64]) -> Self {
        self.stages.push(Stage::named(name.into(), values));
        self
    }

    /// A stage of your own: it may change and reorder the candidates and leave some out, and sees the tokens so far. `Break` stops
    /// the generation with `Cancelled`; a panic goes on where the step was asked for.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// let options = loquor::GenerateOptions::new().stage_fn(|candidates, _history| {
    ///     for c in candidates.iter_mut().filter(|c| c.token() % 2 == 1) {
    ///         c.logit = f32::NEG_INFINITY;
    ///     }
    ///     ControlFlow::Continue(())
    /// });
    /// # let _ = options;
    /// ```
    pub fn stage_fn(
        mut self,
        f: impl Fn(&mut crate::Candidates<'_>, &[Token]) -> std::ops::ControlFlow<()> + Send + Sync + 'static,
    ) -> Self {
        self.stages.push(Stage::host(f));
        self
    }

    /// Added to a token's logit before the first stage; negative infinity forbids it.
    pub fn bias(mut self, token: Token, bias: f32) -> Self {
        self.bias.push((token, bias));
        self
    }

    /// The seed of the draws: the same seed and input give the same tokens, whatever the threads.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many most probable tokens to report for each; 0: none. At most 100.
    pub fn logprobs(mut self, n: u32) -> Self {
        self.logprobs = n;
        self
    }

    /// The model's own end tokens do not end it.
    pub fn ignore_end(mut self, yes: bool) -> Self {
        self.ignore_end = yes;
        self
    }

    /// The prompt is appended to what the session holds; otherwise it replaces it, reusing the longest common prefix.
    pub fn append(mut self, yes: bool) -> Self {
        self.append = yes;
        self
    }

    /// A text prompt may hold control tokens (`<|im_start|>`).
    pub fn parse_special(mut self, yes: bool) -> Self {
        self.parse_special = yes;
        self
    }

    /// No begin token before a text prompt that replaces the contents.
    pub fn no_begin(mut self, yes: bool) -> Self {
        self.no_begin = yes;
        self
    }

    /// Prompt lookup: the most tokens that are guessed and computed together. 0: chosen by the library; -1: none; at most 31. Only
    /// the time differs.
    pub fn lookup(mut self, n: i32) -> Self {
        self.lookup = n;
        self
    }

    /// A way to stop it from another thread.
    pub fn cancel(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// What is generated is a text of this grammar (its beginning, if something else ends it sooner).
    pub fn grammar(mut self, grammar: &Grammar) -> Self {
        self.grammar = Some(grammar.clone());
        self
    }

    /// For a [`Prompt::Chat`]: what the template sees besides the messages.
    pub fn chat(mut self, options: ChatOptions) -> Self {
        self.chat = options;
        self
    }

    /// For a [`Prompt::Chat`]: a JSON array of tools.
    pub fn tools(mut self, json: impl Into<String>) -> Self {
        self.chat.tools = Some(json.into());
        self
    }

    /// As C sees them. Options are copied by the call that takes them, but the host's stages are called later on.
    pub(crate) fn raw(&self) -> Result<RawOptions> {
        let stop = self.stop.iter().map(|s| cstring(s.as_str(), "a stop string")).collect::<Result<Vec<_>>>()?;
        let stop_list: Vec<*const c_char> = stop.iter().map(|s| s.as_ptr()).collect();
        let plain = self.stages.is_empty() && self.bias.is_empty();
        let (sampler, host) = if plain { (None, Vec::new()) } else { self.sampler().map(|(s, h)| (Some(s), h))? };
        let o = ffi::lq_generate_options {
            max_tokens: self.max_tokens,
            sampler: sampler.as_ref().map_or(std::ptr::null(), |s| s.raw().cast_const()),
            stop: stop_list.as_ptr(),
            stop_count: stop_list.len(),
            stop_tokens: self.stop_tokens.as_ptr(),
            stop_token_count: self.stop_tokens.len(),
            logprobs: self.logprobs,
            ignore_end: flag(self.ignore_end),
            append: flag(self.append),
            parse_special: flag(self.parse_special),
            no_begin: flag(self.no_begin),
            lookup: self.lookup,
            cancel: cancel::raw(&self.cancel),
            grammar: self.grammar.as_ref().map_or(std::ptr::null(), |g| g.raw().cast_const()),
            ..ffi::LQ_GENERATE_OPTIONS_INIT
        };
        Ok(RawOptions { o, host, _sampler: sampler, _stop: stop, _stop_list: stop_list })
    }

    /// A sampler, and what must live as long as it does.
    pub(crate) fn sampler(&self) -> Result<(Handle<ffi::lq_sampler>, Vec<Arc<HostCall>>)> {
        // SAFETY: an out-parameter.
        let sampler = Handle::make(ffi::lq_sampler_free, |out| unsafe { ffi::lq_sampler_create(out) })?;
        let mut host = Vec::new();
        for stage in &self.stages {
            host.extend(stage.add(&sampler)?);
        }
        let (tokens, bias): (Vec<_>, Vec<_>) = self.bias.iter().copied().unzip();
        // SAFETY: a live handle, as many tokens and values as said.
        unsafe {
            check(ffi::lq_sampler_bias(sampler.raw(), tokens.as_ptr(), bias.as_ptr(), tokens.len()))?;
            check(ffi::lq_sampler_seed(sampler.raw(), self.seed))?;
        }
        Ok((sampler, host))
    }
}

/// Options with all that they point at but the stop tokens, the cancel handle and the grammar, which [`GenerateOptions`] holds.
pub(crate) struct RawOptions {
    pub(crate) o: ffi::lq_generate_options,
    pub(crate) host: Vec<Arc<HostCall>>,
    _sampler: Option<Handle<ffi::lq_sampler>>,
    _stop: Vec<CString>,
    _stop_list: Vec<*const c_char>,
}

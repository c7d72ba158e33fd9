//! What comes out of a generation.

use crate::ffi;
use crate::tokens::Token;
use crate::util::{lossy, slice};
use std::fmt;
use std::time::Duration;

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finish {
    /// It has not.
    None,
    /// The model ended its text or turn, or the grammar's text was whole.
    End,
    /// A stop string or stop token.
    Stop,
    /// `max_tokens`.
    Length,
    /// No room in the context.
    ContextFull,
    /// A [`CancelToken`](crate::CancelToken) or [`SessionCanceller`](crate::SessionCanceller).
    Cancelled,
    /// A callback said so.
    Callback,
}

impl Finish {
    pub(crate) fn of(finish: i32) -> Finish {
        match finish {
            ffi::LQ_FINISH_END => Finish::End,
            ffi::LQ_FINISH_STOP => Finish::Stop,
            ffi::LQ_FINISH_LENGTH => Finish::Length,
            ffi::LQ_FINISH_CONTEXT_FULL => Finish::ContextFull,
            ffi::LQ_FINISH_CANCELLED => Finish::Cancelled,
            ffi::LQ_FINISH_CALLBACK => Finish::Callback,
            _ => Finish::None,
        }
    }

    /// As all bindings and OpenAI's API call it: "stop" for `End` and `Stop`, "length", "context_full", "cancelled", "callback",
    /// "none".
    pub fn name(self) -> &'static str {
        match self {
            Finish::None => "none",
            Finish::End | Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::ContextFull => "context_full",
            Finish::Cancelled => "cancelled",
            Finish::Callback => "callback",
        }
    }
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A token and the natural logarithm of the model's own probability for it, before any sampling stage and without grammar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLogprob {
    /// The token.
    pub token: Token,
    /// The natural logarithm of its probability.
    pub logprob: f32,
}

/// A token that was generated.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TokenEvent {
    /// The token.
    pub token: Token,
    /// How many tokens the generation made before it.
    pub index: u32,
    /// The text that is now complete, maybe none: never half a character, held back while it may be the start of a stop string.
    pub text: String,
    /// Of the token; none if `logprobs` was 0.
    pub logprob: Option<f32>,
    /// The most probable tokens, best first; none if `logprobs` was 0.
    pub top: Vec<TokenLogprob>,
}

/// What a step of a generation did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The budget is used up in the middle of the prompt or of a token.
    #[non_exhaustive]
    Working {
        /// Tokens of the prompt computed or reused so far,
        prompt_done: u32,
        /// and to do in all.
        prompt_total: u32,
    },
    /// A token was generated.
    Token(TokenEvent),
    /// The generation is over.
    #[non_exhaustive]
    Done {
        /// Text that was still waiting.
        text: String,
        /// Why it is over.
        finish: Finish,
    },
}

impl Event {
    /// A copy of what C tells.
    ///
    /// # Safety
    /// What it points at is still borrowed.
    pub(crate) unsafe fn of(e: &ffi::lq_event) -> Event {
        // SAFETY: as promised.
        let (text, top) = unsafe { (slice(e.text.cast::<u8>(), e.text_length), slice(e.top, e.top_count)) };
        let text = lossy(text.to_vec());
        match e.kind {
            ffi::LQ_EVENT_TOKEN => Event::Token(TokenEvent {
                token: e.token,
                index: e.index,
                text,
                logprob: (!e.logprob.is_nan()).then_some(e.logprob),
                top: top.iter().map(|t| TokenLogprob { token: t.token, logprob: t.logprob }).collect(),
            }),
            ffi::LQ_EVENT_DONE => Event::Done { text, finish: Finish::of(e.finish) },
            _ => Event::Working { prompt_done: e.prompt_done, prompt_total: e.prompt_total },
        }
    }

    /// The text that came with it; "" while working.
    pub fn text(&self) -> &str {
        match self {
            Event::Working { .. } => "",
            Event::Token(t) => &t.text,
            Event::Done { text, .. } => text,
        }
    }

    /// The token, if there is one.
    pub fn token(&self) -> Option<&TokenEvent> {
        match self {
            Event::Token(t) => Some(t),
            _ => None,
        }
    }
}

/// A generation: text, tokens and figures.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Generation {
    /// The text.
    pub text: String,
    /// The tokens.
    pub tokens: Vec<Token>,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt,
    pub prompt_tokens: u32,
    /// of which this many were in the cache already.
    pub reused_tokens: u32,
    /// Tokens made, the end token not counted.
    pub generated_tokens: u32,
    /// Tokens guessed by prompt lookup and computed ahead,
    pub drafted_tokens: u32,
    /// of which this many came.
    pub accepted_tokens: u32,
    /// Loading the model.
    pub load: Duration,
    /// Reading the prompt.
    pub prefill: Duration,
    /// Making tokens.
    pub decode: Duration,
    /// From the start of the call to the first token.
    pub first_token: Duration,
    /// Prompt tokens computed per second; 0 if none were.
    pub prefill_per_second: f64,
    /// Tokens made per second, the first one not counted; 0 if none.
    pub decode_per_second: f64,
}

pub(crate) fn milliseconds(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms / 1e3).unwrap_or_default()
}

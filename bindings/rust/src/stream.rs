//! Generation from a session: step by step, as iterators, as a whole.

use crate::cancel::SessionCanceller;
use crate::chat::RawMessages;
use crate::error::Result;
use crate::event::{milliseconds, Event, Finish, Generation};
use crate::ffi;
use crate::generate::{GenerateOptions, Prompt};
use crate::session::Session;
use crate::util::{check, lossy, slice};
use std::iter::FusedIterator;
use std::time::Duration;

/// As a budget: as long as it takes until the next token.
pub const UNLIMITED: Duration = Duration::MAX;

impl Session {
    /// Generates text piece by piece. Dropping the iterator ends the generation.
    ///
    /// ```no_run
    /// # fn main() -> loquor::Result<()> {
    /// # let mut session = loquor::Model::load("smollm2")?.session()?;
    /// for piece in session.stream("The sky is", &Default::default())? {
    ///     print!("{}", piece?);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn stream<'s, 'p>(
        &'s mut self,
        prompt: impl Into<Prompt<'p>>,
        options: &GenerateOptions,
    ) -> Result<Stream<'s>> {
        Ok(Stream { events: self.events(prompt, options)? })
    }

    /// Generates token by token; the last event is [`Event::Done`]. Dropping the iterator ends the generation.
    ///
    /// ```no_run
    /// # fn main() -> loquor::Result<()> {
    /// # let mut session = loquor::Model::load("smollm2")?.session()?;
    /// use loquor::{Event, GenerateOptions};
    /// for event in session.events("The sky is", &GenerateOptions::new().logprobs(3))? {
    ///     if let Event::Token(t) = event? {
    ///         println!("{:?} {:?} {:?}", t.token, t.text, t.top);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn events<'s, 'p>(
        &'s mut self,
        prompt: impl Into<Prompt<'p>>,
        options: &GenerateOptions,
    ) -> Result<Events<'s>> {
        self.start(prompt, options)?;
        Ok(Events { session: self, over: false })
    }

    /// Generates the whole text. After `Cancelled`, [`result`](Session::result) has what was made.
    pub fn generate<'p>(&mut self, prompt: impl Into<Prompt<'p>>, options: &GenerateOptions) -> Result<Generation> {
        for event in self.events(prompt, options)? {
            event?;
        }
        self.result()
    }

    /// Begins a generation and returns at once; [`step`](Session::step) does the work. Any other one of the session is given up.
    pub fn start<'p>(&mut self, prompt: impl Into<Prompt<'p>>, options: &GenerateOptions) -> Result<()> {
        let raw = options.raw()?;
        let (session, o) = (self.raw(), &raw.o);
        // SAFETY: a live handle; options and prompt live until the call returns, the stages as long as the session.
        let status = unsafe {
            match prompt.into() {
                Prompt::Text(s) => ffi::lq_session_start(session, s.as_ptr().cast(), s.len(), o),
                Prompt::Continue => ffi::lq_session_start(session, std::ptr::null(), 0, o),
                Prompt::Tokens(t) => ffi::lq_session_start_tokens(session, t.as_ptr(), t.len(), o),
                Prompt::Chat(messages) => {
                    let (m, chat) = (RawMessages::new(messages)?, options.chat.raw());
                    ffi::lq_session_start_chat(session, m.list.as_ptr(), m.list.len(), &chat, o)
                }
            }
        };
        check(status)?;
        self.host = raw.host; // only now: a start that fails leaves the generation before it, with its stages
        Ok(())
    }

    /// Does as much of the next token's work as fits in the budget (at least about a layer of the network). A game calls this
    /// once a frame. [`UNLIMITED`]: as long as it takes until the next token. Errors: `InvalidArgument` if nothing was started;
    /// `Cancelled` once when cancelled, then [`Event::Done`].
    pub fn step(&mut self, budget: Duration) -> Result<Event> {
        let budget = u64::try_from(budget.as_micros()).unwrap_or(ffi::LQ_BUDGET_NONE);
        let mut e = ffi::LQ_EVENT_INIT;
        // SAFETY: an out-parameter with its size set, a live handle.
        let status = check(unsafe { ffi::lq_session_step(&mut e, self.raw(), budget) });
        self.host_panics();
        status?;
        // SAFETY: borrowed until the next call on the session; copied here.
        Ok(unsafe { Event::of(&e) })
    }

    /// After a call that may have run stages of the host: lets a panic of one go on.
    pub(crate) fn host_panics(&self) {
        self.host.iter().for_each(|h| h.finish());
    }

    /// Gives up the generation that is going on, keeping what was made.
    pub fn stop(&mut self) -> Result<()> {
        // SAFETY: a live handle.
        check(unsafe { ffi::lq_session_stop(self.raw()) })
    }

    /// What cancels this session from another thread.
    pub fn canceller(&self) -> SessionCanceller {
        SessionCanceller::new(self.raw(), &self.model.inner)
    }

    /// Text, tokens and figures of the last generation, also while it is going on.
    pub fn result(&self) -> Result<Generation> {
        let mut r = ffi::LQ_RESULT_INIT;
        let (mut text, mut length) = (std::ptr::null(), 0);
        let (mut tokens, mut count) = (std::ptr::null(), 0);
        // SAFETY: out-parameters, a live handle; text and tokens are borrowed until the next call on the session, and copied.
        let (text, tokens) = unsafe {
            check(ffi::lq_session_result(&mut r, self.raw()))?;
            check(ffi::lq_session_output(&mut text, &mut length, self.raw()))?;
            let text = lossy(slice(text.cast::<u8>(), length).to_vec());
            check(ffi::lq_session_output_tokens(&mut tokens, &mut count, self.raw()))?;
            (text, slice(tokens, count).to_vec())
        };
        Ok(Generation {
            text,
            tokens,
            finish: Finish::of(r.finish),
            prompt_tokens: r.prompt_tokens,
            reused_tokens: r.reused_tokens,
            generated_tokens: r.generated_tokens,
            drafted_tokens: r.drafted_tokens,
            accepted_tokens: r.accepted_tokens,
            load: milliseconds(r.load_ms),
            prefill: milliseconds(r.prefill_ms),
            decode: milliseconds(r.decode_ms),
            first_token: milliseconds(r.first_token_ms),
            prefill_per_second: r.prefill_tps,
            decode_per_second: r.decode_tps,
        })
    }
}

/// The tokens of a generation, as [`Session::events`] makes it. After an error there is nothing more.
#[derive(Debug)]
pub struct Events<'s> {
    session: &'s mut Session,
    over: bool,
}

impl Events<'_> {
    /// Figures, text and tokens so far.
    pub fn result(&self) -> Result<Generation> {
        self.session.result()
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        while !self.over {
            let event = self.session.step(UNLIMITED);
            match event {
                Ok(Event::Working { .. }) => continue,
                Ok(Event::Token(_)) => {}
                Ok(Event::Done { .. }) | Err(_) => self.over = true,
            }
            return Some(event);
        }
        None
    }
}

impl FusedIterator for Events<'_> {}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.session.stop(); // fails only in a child of fork(), where nothing goes on
        }
    }
}

/// The text of a generation, as [`Session::stream`] makes it. No piece is empty.
#[derive(Debug)]
pub struct Stream<'s> {
    events: Events<'s>,
}

impl Stream<'_> {
    /// Figures, text and tokens so far.
    pub fn result(&self) -> Result<Generation> {
        self.events.result()
    }
}

impl Iterator for Stream<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Result<String>> {
        loop {
            let text = match self.events.next()? {
                Ok(Event::Token(t)) => t.text,
                Ok(Event::Done { text, .. }) => text,
                Ok(Event::Working { .. }) => continue,
                Err(e) => return Some(Err(e)),
            };
            if !text.is_empty() {
                return Some(Ok(text));
            }
        }
    }
}

impl FusedIterator for Stream<'_> {}

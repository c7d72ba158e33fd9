//! Tokens and text.

use crate::error::{ErrorKind, Result};
use crate::ffi;
use crate::model::Model;
use crate::util::{bytes, check, cstring, flag, ids, lossy, slice, Handle};
use std::fmt;

/// A token's number in its model's vocabulary.
pub type Token = i32;

/// How a text is cut into tokens. The default takes it as plain text, whatever it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenizeOptions {
    /// Add the begin (and end) tokens that the model wants.
    pub add_special: bool,
    /// `<|im_end|>` in the text becomes that control token. Never for what a user wrote.
    pub parse_special: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A piece of text.
    Normal,
    /// Stands for what the vocabulary cannot spell.
    Unknown,
    /// Never the result of plain text: `<|im_end|>`, `<s>`.
    Control,
    /// Added to the vocabulary, always matched as a whole.
    UserDefined,
    /// Not in use.
    Unused,
    /// One byte.
    Byte,
}

impl Model {
    /// The tokens of a plain text, any bytes. [`Model::detokenize_bytes`] gives the same bytes back.
    pub fn tokenize(&self, text: impl AsRef<[u8]>) -> Result<Vec<Token>> {
        self.tokenize_with(text, TokenizeOptions::default())
    }

    /// The tokens of a text, with options.
    pub fn tokenize_with(&self, text: impl AsRef<[u8]>, options: TokenizeOptions) -> Result<Vec<Token>> {
        let text = text.as_ref();
        let o = ffi::lq_tokenize_options {
            add_special: flag(options.add_special),
            parse_special: flag(options.parse_special),
            ..ffi::LQ_TOKENIZE_OPTIONS_INIT
        };
        // A token has at least a byte, but for those that are added around the text.
        // SAFETY: a buffer of the given capacity, a live handle, a text of the given length.
        ids(text.len() + 8, |out, capacity, count| unsafe {
            ffi::lq_tokenize(out, capacity, count, self.raw(), text.as_ptr().cast(), text.len(), &o)
        })
    }

    /// The text of tokens, control tokens left out; U+FFFD for what is no UTF-8, as where tokens are cut within a character.
    /// Errors: `InvalidArgument` for an id outside the vocabulary.
    pub fn detokenize(&self, tokens: &[Token]) -> Result<String> {
        Ok(lossy(self.detokenize_bytes(tokens, false)?))
    }

    /// The bytes of tokens, control tokens as their text if `render_special`, or else left out.
    pub fn detokenize_bytes(&self, tokens: &[Token], render_special: bool) -> Result<Vec<u8>> {
        let o = ffi::lq_detokenize_options { render_special: flag(render_special), ..ffi::LQ_DETOKENIZE_OPTIONS_INIT };
        // SAFETY: a buffer of the given capacity, a live handle, as many tokens as said.
        bytes(|out, capacity, length| unsafe {
            ffi::lq_detokenize(out, capacity, length, self.raw(), tokens.as_ptr(), tokens.len(), &o)
        })
    }

    /// Number of token ids.
    pub fn vocab_size(&self) -> Result<u32> {
        let mut n = 0;
        // SAFETY: an out-parameter and a live handle; so below.
        check(unsafe { ffi::lq_vocab_size(&mut n, self.raw()) })?;
        Ok(n)
    }

    /// The bytes of one token, control tokens as their text.
    pub fn token_bytes(&self, token: Token) -> Result<Vec<u8>> {
        // SAFETY: a buffer of the given capacity, a live handle.
        bytes(|out, capacity, length| unsafe { ffi::lq_token_text(out, capacity, length, self.raw(), token) })
    }

    /// What a token is.
    pub fn token_kind(&self, token: Token) -> Result<TokenKind> {
        let mut kind = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_token_kind_of(&mut kind, self.raw(), token) })?;
        Ok(match kind {
            ffi::LQ_TOKEN_UNKNOWN => TokenKind::Unknown,
            ffi::LQ_TOKEN_CONTROL => TokenKind::Control,
            ffi::LQ_TOKEN_USER_DEFINED => TokenKind::UserDefined,
            ffi::LQ_TOKEN_UNUSED => TokenKind::Unused,
            ffi::LQ_TOKEN_BYTE => TokenKind::Byte,
            _ => TokenKind::Normal,
        })
    }

    /// The token that stands for exactly these bytes, or the control token that is spelled so.
    pub fn find_token(&self, text: impl AsRef<[u8]>) -> Result<Option<Token>> {
        let (text, mut id) = (text.as_ref(), -1);
        // SAFETY: an out-parameter, a live handle, a text of the given length.
        match check(unsafe { ffi::lq_token_find(&mut id, self.raw(), text.as_ptr().cast(), text.len()) }) {
            Ok(()) => Ok(Some(id)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The token of a role ("bos", "eos", "eot", "unk", "pad"), if the model has one.
    pub fn special_token(&self, role: &str) -> Result<Option<Token>> {
        let (role, mut id) = (cstring(role, "the role")?, -1);
        // SAFETY: an out-parameter, a live handle, a NUL-terminated name.
        check(unsafe { ffi::lq_token_special(&mut id, self.raw(), role.as_ptr()) })?;
        Ok((id >= 0).then_some(id))
    }

    /// Whether the token ends a generation: end of text or end of turn.
    pub fn is_end(&self, token: Token) -> Result<bool> {
        let mut end = 0;
        // SAFETY: an out-parameter and a live handle.
        check(unsafe { ffi::lq_token_is_end(&mut end, self.raw(), token) })?;
        Ok(end != 0)
    }

    /// A decoder for tokens that come one by one.
    pub fn decoder(&self) -> Result<TokenDecoder> {
        TokenDecoder::new(self, false)
    }

    /// The same, with control tokens as their text.
    pub fn decoder_with_special(&self) -> Result<TokenDecoder> {
        TokenDecoder::new(self, true)
    }
}

/// Tokens to text one by one: pieces that never hold half a character. `Send`, not `Sync`.
pub struct TokenDecoder {
    raw: Handle<ffi::lq_stream>,
    _model: Model,
}

impl TokenDecoder {
    fn new(model: &Model, render_special: bool) -> Result<TokenDecoder> {
        let o = ffi::lq_stream_options { render_special: flag(render_special), ..ffi::LQ_STREAM_OPTIONS_INIT };
        // SAFETY: an out-parameter, a live handle, options that live until the call returns.
        let raw = Handle::make(ffi::lq_stream_free, |out| unsafe { ffi::lq_stream_create(out, model.raw(), &o) })?;
        Ok(TokenDecoder { raw, _model: model.clone() })
    }

    /// Adds a token; the text that is now complete, maybe none.
    pub fn push(&mut self, token: Token) -> Result<String> {
        // SAFETY: out-parameters and a live handle.
        self.piece(|text, length, raw| unsafe { ffi::lq_stream_push(text, length, raw, token) })
    }

    /// What was still waiting; the decoder begins anew.
    pub fn flush(&mut self) -> Result<String> {
        // SAFETY: out-parameters and a live handle.
        self.piece(|text, length, raw| unsafe { ffi::lq_stream_flush(text, length, raw) })
    }

    fn piece(
        &mut self,
        f: impl FnOnce(*mut *const std::os::raw::c_char, *mut usize, *mut ffi::lq_stream) -> ffi::lq_status,
    ) -> Result<String> {
        let (mut text, mut length) = (std::ptr::null(), 0);
        check(f(&mut text, &mut length, self.raw.raw()))?;
        // SAFETY: borrowed until the next call on the stream; copied here.
        Ok(lossy(unsafe { slice(text.cast::<u8>(), length) }.to_vec()))
    }
}

impl fmt::Debug for TokenDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenDecoder").finish_non_exhaustive()
    }
}

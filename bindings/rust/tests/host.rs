//! What the host gives to the library: memory, closures, their panics.

mod common;

use common::{kind, session, tiny_model, tokens};
use loquor::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

#[test]
fn bytes_live_as_long_as_what_uses_them() {
    struct Counted(Vec<u8>, Arc<AtomicUsize>);
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fill(0); // what still reads them would show it
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let model = LoadOptions::new().threads(1).from_bytes(Counted(tiny_model(), drops.clone())).unwrap();
    let mut session = model.session().unwrap();
    let decoder = model.decoder().unwrap();
    drop(model);
    let text = session.generate("he said", &tokens(8)).unwrap().text;
    assert_eq!(text, common::session().generate("he said", &tokens(8)).unwrap().text);
    drop(session);
    assert_eq!(drops.load(Ordering::SeqCst), 0);
    drop(decoder);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(kind(Model::from_bytes(Counted(b"no model".to_vec(), drops.clone()))), ErrorKind::BadFile);
    assert_eq!(drops.load(Ordering::SeqCst), 2);
    Model::from_bytes(std::borrow::Cow::<'static, [u8]>::Owned(tiny_model())).unwrap();
}

#[test]
fn loading_tells_how_far_it_is_and_can_be_stopped() {
    let mut seen = Vec::new();
    let count = |f| {
        seen.push(f);
        ControlFlow::Continue(())
    };
    LoadOptions::new().threads(1).private_copy(true).progress(count).from_bytes(tiny_model()).unwrap();
    assert_eq!(seen.last(), Some(&1.0));
    let stop = |_| ControlFlow::Break(());
    assert_eq!(kind(LoadOptions::new().progress(stop).from_bytes(tiny_model())), ErrorKind::Cancelled);
    let token = CancelToken::new().unwrap();
    token.cancel();
    assert_eq!(kind(LoadOptions::new().cancel(&token).from_bytes(tiny_model())), ErrorKind::Cancelled);
    let vocabulary = LoadOptions::new().vocab_only(true).from_bytes(tiny_model()).unwrap();
    assert_eq!(kind(vocabulary.session()), ErrorKind::InvalidArgument);
    assert_eq!(kind(LoadOptions::new().memory_cap(1000).from_bytes(tiny_model())), ErrorKind::OutOfMemory);
    assert_eq!(kind(Model::load("/does/not/exist.gguf")), ErrorKind::NotFound);
    assert_eq!(kind(Model::load("a\0b")), ErrorKind::InvalidArgument);
}

/// The message of a panic, which is not printed.
fn panic_of(f: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("should have panicked");
    panic.downcast_ref::<&str>().map(|s| s.to_string()).expect("a message")
}

#[test]
fn panics_of_callbacks_come_out_where_the_call_was_made() {
    let progress = |_| panic!("progress");
    let load = || drop(LoadOptions::new().progress(progress).from_bytes(tiny_model()));
    assert_eq!(panic_of(load), "progress");
    let mut session = session();
    let options = tokens(4).stage_fn(|_, _| panic!("stage"));
    assert_eq!(panic_of(|| drop(session.generate("he", &options))), "stage");
    assert_eq!(panic_of(|| drop(sample(&options, &[1.0, 2.0], &[], 0))), "stage");
    session.generate("he", &tokens(4)).unwrap(); // the session can be used again
    let options = ContextOptions::new().threads(1).log(|_, _| panic!("log"));
    let context = options.create().unwrap();
    let _ = LoadOptions::new().context(&context).from_bytes(tiny_model());
}

#[test]
fn stages_of_the_host_choose() {
    let mut session = session();
    let even = |candidates: &mut Candidates<'_>, history: &[Token]| {
        assert!(!history.is_empty());
        candidates.sort_by_key(|c| c.token() % 2);
        candidates.truncate(130);
        candidates[0].logit += 0.5;
        ControlFlow::Continue(())
    };
    let made = session.generate("he", &tokens(8).stage_fn(even).temperature(1.0)).unwrap();
    assert!(made.tokens.iter().all(|t| t % 2 == 0) && made.tokens.len() == 8);
    let stop = tokens(8).stage_fn(|_, _| ControlFlow::Break(()));
    assert_eq!(kind(session.generate("he", &stop)), ErrorKind::Cancelled);
    let one = tokens(1).stage_fn(|c, _| {
        c.truncate(0); // at least one stays
        assert_eq!(c.len(), 1);
        ControlFlow::Continue(())
    });
    assert_eq!(session.generate("he", &one).unwrap().tokens, session.generate("he", &tokens(1)).unwrap().tokens);
    // Kept by the session, not by who made the options; a failed start leaves the generation before it as it was.
    session.start("he", &tokens(8).stage_fn(even)).unwrap();
    assert_eq!(kind(session.start("he", &tokens(8).stage_fn(even).stage("top_q", &[1.0]))), ErrorKind::NotFound);
    assert_eq!(kind(session.start(&[-7], &tokens(8).stage_fn(even))), ErrorKind::InvalidArgument);
    while !matches!(session.step(UNLIMITED).unwrap(), Event::Done { .. }) {}
}

#[test]
fn contexts_log_and_name_their_instruction_set() {
    let lines = Arc::new(AtomicUsize::new(0));
    let counter = lines.clone();
    let options = ContextOptions::new().threads(1).isa("scalar").log(move |level, message| {
        assert!(!message.is_empty() && level >= LogLevel::Debug);
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let context = options.create().unwrap();
    assert_eq!((context.isa().unwrap().as_str(), context.threads().unwrap()), ("scalar", 1));
    let model = LoadOptions::new().context(&context).from_bytes(tiny_model()).unwrap();
    drop(context);
    model.session().unwrap().generate("he", &tokens(2)).unwrap();
    println!("{} lines of log", lines.load(Ordering::SeqCst));
    assert!(isa_list().unwrap().contains(&"scalar".to_string()));
    assert_eq!(kind(ContextOptions::new().isa("none").create()), ErrorKind::Unsupported);
    assert_eq!(version().split('.').count(), 3);
}

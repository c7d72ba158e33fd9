//! Several sessions at once: batches and prefix caches.

mod common;

use common::{kind, model, session, tokens};
use loquor::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};

#[test]
fn batches_give_what_each_session_gives_alone() {
    let alone: Vec<String> = ["he", "she said"].map(|p| session().generate(p, &tokens(6)).unwrap().text).into();
    let (mut a, mut b, mut batch) = (session(), session(), Batch::new(&model(), 4).unwrap());
    a.start("he", &tokens(6)).unwrap();
    b.start("she said", &tokens(6)).unwrap();
    let mut texts = vec![String::new(); 2];
    loop {
        let events = batch.step(&mut [&mut a, &mut b]).unwrap();
        texts.iter_mut().zip(&events).for_each(|(text, e)| *text += e.text());
        if events.iter().all(|e| matches!(e, Event::Done { .. })) {
            break;
        }
    }
    assert_eq!(texts, alone);
    assert_eq!(kind(batch.step(&mut [&mut session()])), ErrorKind::InvalidArgument);
    b.start("he", &tokens(2).stage_fn(|_, _| panic!("stage"))).unwrap();
    a.start("he", &tokens(2).stage_fn(|_, _| ControlFlow::Continue(()))).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| loop {
        drop(batch.step(&mut [&mut a, &mut b]));
    }));
    assert!(panicked.is_err());
}

#[test]
fn prompts_that_begin_alike_are_computed_once() {
    let (cache, text) = (PrefixCache::new(&model(), 64 << 20).unwrap(), "0123456789".repeat(8));
    let expected = session().generate(&text, &tokens(4)).unwrap().text;
    for round in 0..2 {
        let mut session = session();
        session.use_prefix_cache(Some(&cache)).unwrap();
        let made = session.generate(&text, &tokens(4)).unwrap();
        assert_eq!((made.text, made.reused_tokens), (expected.clone(), 64 * round));
    }
    let stats = cache.stats().unwrap();
    assert_eq!((stats.hits, stats.reused_tokens, stats.max_bytes), (1, 64, 64 << 20));
    cache.resize(0).unwrap();
    cache.clear().unwrap();
    assert_eq!(cache.stats().unwrap().entries, 0);
    let mut session = session();
    session.use_prefix_cache(Some(&cache)).unwrap();
    session.use_prefix_cache(None).unwrap();
}

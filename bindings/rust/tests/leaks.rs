//! Makes and drops everything a number of times (the argument; 1). Under valgrind, what is in use at the end must not depend on
//! the number: that finds what is leaked, handles included, which the library still reaches and a leak checker alone lets pass.
//! tests/valgrind.py runs it so; LQ_ENCODER names a small text encoder, if there is one.

mod common;

use loquor::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};

fn load() -> Result<Model> {
    let go_on = |_| ControlFlow::Continue(());
    let context = ContextOptions::new().threads(2).affinity([0]).log(|_, _| ()).create()?;
    LoadOptions::new().context(&context).progress(go_on).cancel(&CancelToken::new()?).from_bytes(common::tiny_model())
}

fn texts(model: &Model) -> Result<()> {
    let ids = model.tokenize("he said 世")?;
    let mut decoder = model.decoder_with_special()?;
    ids.iter().try_for_each(|&id| decoder.push(id).map(drop))?;
    model.detokenize(&ids)?;
    model.info()?;
    model.metadata_keys()?;
    let talk = [Message::user("he").with_extra("{}"), Message::assistant("said")];
    ChatTemplate::new("{{ messages[0].content }}", Some(model))?.render(&talk, &ChatOptions::default())?;
    ChatTemplate::of(model)?.tokenize(model, &talk, &ChatOptions::default()).map(drop)
}

fn generation(model: &Model) -> Result<()> {
    let mut session = model.session_with(&SessionOptions { ctx: 128, wipe: true, ..Default::default() })?;
    let grammar = Grammar::from_regex("[a-z]{1,3}")?;
    let options = GenerateOptions::new().max_tokens(4).logprobs(2).stop("xyz").stop_token(9).bias(7, 0.5);
    let options =
        options.stage_fn(|_, _| ControlFlow::Continue(())).temperature(0.9).seed(3).cancel(&CancelToken::new()?);
    session.generate("he", &options)?;
    session.generate("he", &options.clone().grammar(&grammar))?;
    session.stream(&[Message::user("he")], &options)?.next();
    let mut fork = session.fork()?;
    let state = session.save()?;
    fork.load(&state)?;
    fork.start(Prompt::Continue, &options)?; // dropped in the middle
    fork.step(UNLIMITED)?;
    fork.canceller().cancel()?;
    let other = model.session()?;
    drop(session);
    drop(other);
    Ok(())
}

fn failures(model: &Model) -> Result<()> {
    let mut session = model.session_with(&SessionOptions { ctx: 64, ..Default::default() })?;
    let options = GenerateOptions::new().max_tokens(4).stage_fn(|_, _| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(|| session.generate("he", &options).map(drop))).is_err());
    assert!(session.generate("he", &options.clone().top_p(7.0)).is_err());
    assert!(session.generate("he".repeat(200).as_str(), &GenerateOptions::new()).is_err());
    assert!(LoadOptions::new().progress(|_| ControlFlow::Break(())).from_bytes(common::tiny_model()).is_err());
    assert!(Model::from_bytes(vec![0u8; 1000]).is_err());
    assert!(Grammar::from_json_schema("{", SchemaOptions::default()).is_err());
    assert!(ContextOptions::new().isa("none").log(|_, _| ()).create().is_err());
    assert!(session.load(b"nothing").is_err());
    assert!(Model::load("/none").is_err());
    Ok(())
}

fn together(model: &Model) -> Result<()> {
    let (mut a, mut b) = (model.session()?, model.session()?);
    let cache = PrefixCache::new(model, 1 << 20)?;
    a.use_prefix_cache(Some(&cache))?;
    drop(cache);
    a.start("he".repeat(100).as_str(), &GenerateOptions::new())?;
    b.start("he", &GenerateOptions::new().stage_fn(|_, _| ControlFlow::Continue(())))?;
    Batch::new(model, 2)?.step(&mut [&mut a, &mut b])?;
    let prompt = ComposedPrompt::new(r#"{"choices": ["a", "b"]}"#, None)?.ask(&mut a, "?", None);
    prompt.map(drop)
}

fn stores(model: &Model, encoder: Option<&Model>) -> Result<()> {
    let file = std::env::temp_dir().join(format!("loquor-leaks-{}.db", std::process::id()));
    let mut store = match Store::open(&file, encoder) {
        Err(e) if e.kind() == ErrorKind::Unsupported => return Ok(()), // built without
        other => other?,
    };
    let mut document = Document::new("a", "A text of some words.");
    (document.title, document.metadata) = (Some("A".into()), Some("{}".into()));
    store.add_with(&[document], |_, _| ControlFlow::Continue(()), None)?;
    store.search("words", &SearchOptions { filter: Some("{}".into()), ..Default::default() })?;
    assert!(store.search("words", &SearchOptions { filter: Some("{".into()), ..Default::default() }).is_err());
    let mut session = model.session_with(&SessionOptions { ctx: 1024, slide: true, ..Default::default() })?;
    store.ask(
        &mut session,
        "words?",
        &AskOptions { max_tokens: 2, no_guards: true, threshold: -1.0, ..Default::default() },
    )?;
    drop(store);
    let _ = std::fs::remove_file(&file);
    Ok(())
}

fn embeddings(model: &Model) -> Result<()> {
    let Ok(folder) = std::env::var("LQ_ENCODER") else { return stores(model, None) };
    let encoder = LoadOptions::new().threads(1).load(folder)?;
    stores(model, Some(&encoder))?;
    encoder
        .embedder(&EmbedderOptions { pooling: Some("mean".into()), ..Default::default() })?
        .embed(&["a", "b c"])
        .map(drop)
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(1);
    std::panic::set_hook(Box::new(|_| ())); // those on purpose would be printed
    for _ in 0..rounds {
        let round = || {
            let model = load()?;
            texts(&model)?;
            generation(&model)?;
            failures(&model)?;
            together(&model)?;
            embeddings(&model)
        };
        if let Err(e) = round() {
            println!("leaks: {e}");
            std::process::exit(1);
        }
    }
    println!("leaks: {rounds} rounds");
}

//! Runs tests/conformance/cases.json: what every language binding must do alike.
//!
//! LQ_CASES names the file, LQ_ENCODER the folder of the small encoder. Without the default model in the cache nothing is run,
//! which is said.

use loquor::*;
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

fn cached_model() -> Option<PathBuf> {
    let file = match std::env::var("LQ_TEST_MODEL") {
        Ok(file) => PathBuf::from(file),
        Err(_) => Model::path("smollm2").unwrap(),
    };
    file.exists().then_some(file)
}

/// One case, with the fields that not all have.
struct Case<'a>(&'a Value);

impl Case<'_> {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn number(&self, key: &str) -> u64 {
        self.0[key].as_u64().unwrap_or_default()
    }

    fn ids(&self) -> Vec<Token> {
        self.0["ids"].as_array().unwrap().iter().map(|v| v.as_i64().unwrap() as Token).collect()
    }

    fn strings(&self, key: &str) -> Vec<String> {
        self.0[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().into()).collect()
    }

    fn messages(&self) -> Option<Vec<Message>> {
        let word = |m: &Value, key: &str| m[key].as_str().unwrap().to_string();
        let list = self.0.get("messages")?.as_array().unwrap();
        Some(list.iter().map(|m| Message::new(word(m, "role"), word(m, "content"))).collect())
    }

    fn options(&self) -> GenerateOptions {
        let mut options = GenerateOptions::new();
        let Some(given) = self.0["options"].as_object() else { return options };
        for (key, value) in given {
            options = match key.as_str() {
                "max_tokens" => options.max_tokens(value.as_u64().unwrap() as u32),
                "logprobs" => options.logprobs(value.as_u64().unwrap() as u32),
                "seed" => options.seed(value.as_u64().unwrap()),
                "stop" => value.as_array().unwrap().iter().fold(options, |o, s| o.stop(s.as_str().unwrap())),
                "temperature" | "top_k" | "top_p" => continue,
                other => panic!("an option that this test does not know: {other}"),
            };
        }
        // In the order in which all bindings run them.
        for name in ["top_k", "top_p", "temperature"] {
            if let Some(value) = given.get(name) {
                options = options.stage(name, &[value.as_f64().unwrap()]);
            }
        }
        options
    }
}

fn session(model: &Model) -> Session {
    model.session_with(&SessionOptions { ctx: 512, ..Default::default() }).unwrap()
}

fn whole<'p>(session: &mut Session, prompt: impl Into<Prompt<'p>>, case: &Case<'_>) -> String {
    session.generate(prompt, &case.options()).unwrap().text
}

fn generate(model: &Model, case: &Case<'_>) {
    let (mut session, messages) = (session(model), case.messages());
    let prompt = match &messages {
        Some(messages) => messages.into(),
        None => Prompt::Text(case.text("prompt")),
    };
    let streamed: String = session.stream(prompt, &case.options()).unwrap().map(Result::unwrap).collect();
    let result = session.result().unwrap();
    assert_eq!((streamed.as_str(), result.text.as_str()), (case.text("text"), case.text("text")));
    assert_eq!(result.finish.name(), case.text("finish"));
    assert_eq!(u64::from(result.generated_tokens), case.number("generated_tokens"));
    assert_eq!(result.tokens.len(), result.generated_tokens as usize);
}

fn cancel(model: &Model, case: &Case<'_>) {
    let mut session = session(model);
    session.start(case.text("prompt"), &GenerateOptions::new()).unwrap();
    for _ in 0..case.number("after_tokens") {
        assert!(session.step(UNLIMITED).unwrap().token().is_some());
    }
    session.canceller().cancel().unwrap();
    assert_eq!(session.step(UNLIMITED).unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(matches!(session.step(UNLIMITED).unwrap(), Event::Done { .. }));
    assert_eq!(session.result().unwrap().finish, Finish::Cancelled);
    assert_eq!(whole(&mut session, case.text("then"), case), case.text("text"));
}

fn state(model: &Model, case: &Case<'_>) {
    let file = std::env::temp_dir().join(format!("loquor-conformance-{}", std::process::id()));
    let mut first = session(model);
    first.set_prompt(&model.tokenize(case.text("prompt")).unwrap()).unwrap();
    first.save_file(&file).unwrap();
    let saved = first.save().unwrap();
    let (mut second, mut third) = (session(model), session(model));
    second.load_file(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    third.load(&saved).unwrap();
    for mut s in [second, third] {
        assert_eq!(s.tokens().unwrap(), first.tokens().unwrap());
        assert_eq!(whole(&mut s, Prompt::Continue, case), case.text("text"));
    }
}

fn fork(model: &Model, case: &Case<'_>) {
    let mut first = session(model);
    first.set_prompt(&model.tokenize(case.text("prompt")).unwrap()).unwrap();
    let mut second = first.fork().unwrap();
    assert_eq!(whole(&mut second, Prompt::Continue, case), case.text("text"));
    assert_eq!(whole(&mut first, Prompt::Continue, case), case.text("text"));
}

fn logprobs(model: &Model, case: &Case<'_>) {
    let wanted = &case.0["options"];
    let mut n = 0;
    for event in session(model).events(case.text("prompt"), &case.options()).unwrap() {
        let Event::Token(t) = event.unwrap() else { continue };
        assert_eq!(t.top.len() as u64, wanted["logprobs"].as_u64().unwrap());
        assert_eq!(t.top[0], TokenLogprob { token: t.token, logprob: t.logprob.unwrap() });
        assert!(t.top[1].logprob <= t.top[0].logprob && t.top[0].logprob <= 0.0);
        n += 1;
    }
    assert_eq!(n, wanted["max_tokens"].as_u64().unwrap());
}

fn budget(model: &Model, case: &Case<'_>) {
    let (mut session, mut text) = (session(model), String::new());
    session.start(case.text("prompt"), &case.options()).unwrap();
    loop {
        let event = session.step(Duration::from_micros(case.number("budget_us"))).unwrap();
        text += event.text();
        if matches!(event, Event::Done { .. }) {
            break;
        }
    }
    assert_eq!(text, case.text("text"));
}

fn embed(case: &Case<'_>) {
    let encoder = Model::load(std::env::var("LQ_ENCODER").expect("LQ_ENCODER")).unwrap();
    let mut embedder = encoder.embedder(&EmbedderOptions::default()).unwrap();
    let texts = case.strings("texts");
    let vectors = embedder.embed(&texts).unwrap();
    assert_eq!(vectors.len(), texts.len());
    for (vector, begin) in vectors.iter().zip(case.0["begin"].as_array().unwrap()) {
        assert_eq!(vector.len() as u64, case.number("dimension"));
        for (x, expected) in vector.iter().zip(begin.as_array().unwrap()) {
            assert!((f64::from(*x) - expected.as_f64().unwrap()).abs() < case.0["tolerance"].as_f64().unwrap());
        }
    }
    assert_eq!(embedder.embed(&texts[1..2]).unwrap()[0], vectors[1], "the same bits alone and among others");
}

/// What fails in a case "error".
fn failing(model: &Model, case: &Case<'_>) -> Result<()> {
    let small = SessionOptions { ctx: 64, ..Default::default() };
    match case.text("call") {
        "load" => {
            let cap = case.0["options"]["memory_cap"].as_u64().unwrap_or_default();
            LoadOptions::new().memory_cap(cap).load(case.text("source")).map(drop)
        }
        "load_bytes" => Model::from_bytes(case.text("bytes").to_string()).map(drop),
        "load_cancelled" => {
            let token = CancelToken::new()?;
            token.cancel();
            LoadOptions::new().cancel(&token).load(case.text("source")).map(drop)
        }
        "context" => ContextOptions::new().isa(case.text("isa")).create().map(drop),
        "session" => {
            let kv_type = case.0["options"]["kv_type"].as_str().map(String::from);
            model.session_with(&SessionOptions { kv_type, ..Default::default() }).map(drop)
        }
        "generate" => {
            let ctx = case.0["session"]["ctx"].as_u64().unwrap_or(512) as u32;
            let mut session = model.session_with(&SessionOptions { ctx, ..Default::default() })?;
            session.generate(case.text("prompt"), &case.options()).map(drop)
        }
        "detokenize" => model.detokenize(&case.ids()).map(drop),
        "embedder" => model.embedder(&EmbedderOptions::default()).map(drop),
        "save" => model.session()?.save_file(case.text("path")),
        // A session that is gone cannot be named in Rust, but by what cancels it from elsewhere.
        "closed" => {
            let canceller = model.session()?.canceller();
            canceller.cancel()
        }
        "load_state" => model.session()?.load(case.text("bytes").as_bytes()),
        "mismatch" => {
            let mut other = model.session_with(&SessionOptions { kv_type: Some("q8_0".into()), ..small.clone() })?;
            other.feed(&[1, 2, 3])?;
            model.session_with(&small)?.load(&other.save()?)
        }
        other => panic!("a call that this test does not know: {other}"),
    }
}

fn run(model: &Model, case: &Case<'_>) {
    match case.text("do") {
        "tokenize" => {
            let parse_special = case.0["parse_special"].as_bool().unwrap_or_default();
            let options = TokenizeOptions { parse_special, ..Default::default() };
            let ids = model.tokenize_with(case.text("text"), options).unwrap();
            assert_eq!(ids, case.ids());
            assert_eq!(model.detokenize_bytes(&ids, true).unwrap(), case.text("text").as_bytes());
        }
        "generate" => generate(model, case),
        "cancel" => cancel(model, case),
        "state" => state(model, case),
        "fork" => fork(model, case),
        "logprobs" => logprobs(model, case),
        "budget" => budget(model, case),
        "embed" => embed(case),
        "render" => assert_eq!(model.render(&case.messages().unwrap()).unwrap(), case.text("text")),
        "error" => {
            let error = failing(model, case).expect_err("should have failed");
            assert_eq!(error.kind().name(), case.text("code"), "{error}");
            assert!(!error.message().is_empty());
        }
        other => panic!("a kind of case that this test does not know: {other}"),
    }
}

#[test]
fn conformance() {
    let Some(file) = cached_model() else {
        println!("SKIPPED: needs the default model, which is not cached");
        return;
    };
    let model = LoadOptions::new().threads(2).load(file).unwrap();
    let cases = std::fs::read_to_string(std::env::var("LQ_CASES").expect("LQ_CASES")).unwrap();
    let cases: Value = serde_json::from_str(&cases).unwrap();
    let mut failed = Vec::new();
    for case in cases.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&model, &Case(case))));
        println!("{} {name}", if outcome.is_ok() { "ok    " } else { "FAILED" });
        if outcome.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
    println!("{} cases", cases.as_array().unwrap().len());
}

//! The crate on a tiny model: what needs no file, quickly enough for valgrind. The cases that all bindings share are in conformance/.

mod common;

use common::{kind, model, session, tokens};
use loquor::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn models_know_what_they_are() {
    let model = model();
    let info = model.info().unwrap();
    assert_eq!((info.architecture.as_str(), info.name.as_str(), info.layers), ("llama", "Tiny", 2));
    assert!(info.has_chat_template && info.parameters > 50_000);
    assert_eq!(model.vocab_size().unwrap(), 260);
    assert_eq!(model.metadata("general.name").unwrap(), "Tiny");
    assert_eq!(kind(model.metadata("none")), ErrorKind::NotFound);
    assert!(model.metadata_keys().unwrap().contains(&"llama.block_count".to_string()));
    assert_eq!(model.context().threads().unwrap(), 2);
    assert!(format!("{model:?}").contains("Tiny"));
}

#[test]
fn text_becomes_tokens_and_text_again() {
    let model = model();
    for text in ["", "he said", "Grüße, 世界 😀", "<|im_end|> is text"] {
        let ids = model.tokenize(text).unwrap();
        assert_eq!(model.detokenize(&ids).unwrap(), text);
        let mut decoder = model.decoder().unwrap();
        let mut whole: String = ids.iter().map(|&id| decoder.push(id).unwrap()).collect();
        whole += &decoder.flush().unwrap();
        assert_eq!(whole, text);
    }
    let options = TokenizeOptions { parse_special: true, ..Default::default() };
    assert_eq!(model.tokenize_with("<|im_end|>", options).unwrap(), [2]);
    assert_eq!(model.detokenize_bytes(&[2], true).unwrap(), b"<|im_end|>");
    assert_eq!(model.detokenize(&[2]).unwrap(), "");
    assert_eq!(model.tokenize([0xff, 0, b'x']).unwrap().len(), 3);
    assert_eq!(model.token_bytes(259).unwrap(), b"he");
    assert_eq!(model.token_kind(2).unwrap(), TokenKind::Control);
    assert_eq!((model.find_token("he").unwrap(), model.find_token("hello").unwrap()), (Some(259), None));
    assert_eq!((model.special_token("eos").unwrap(), model.special_token("pad").unwrap()), (Some(2), None));
    assert!(model.is_end(2).unwrap() && !model.is_end(3).unwrap());
    assert_eq!(kind(model.detokenize(&[260])), ErrorKind::InvalidArgument);
    assert_eq!(kind(model.special_token("none")), ErrorKind::InvalidArgument);
    assert_eq!(kind(model.special_token("a\0b")), ErrorKind::InvalidArgument);
}

#[test]
fn generation_is_the_same_whole_streamed_stepped_and_again() {
    let mut session = session();
    let whole = session.generate("he said", &tokens(12)).unwrap();
    assert_eq!((whole.finish, whole.generated_tokens, whole.tokens.len()), (Finish::Length, 12, 12));
    let streamed: String = session.stream("he said", &tokens(12)).unwrap().map(Result::unwrap).collect();
    assert_eq!(streamed, whole.text);
    session.start(&String::from("he said"), &tokens(12)).unwrap();
    let (mut ids, mut working) = (Vec::new(), 0);
    let finish = loop {
        match session.step(Duration::ZERO).unwrap() {
            Event::Token(t) => {
                assert_eq!((t.index as usize, t.logprob, t.top.len()), (ids.len(), None, 0));
                ids.push(t.token);
            }
            Event::Done { finish, .. } => break finish,
            _ => working += 1,
        }
    };
    assert_eq!((ids, finish), (whole.tokens.clone(), Finish::Length));
    assert!(working > 0);
    assert!(matches!(session.step(UNLIMITED), Ok(Event::Done { .. })));
    let ids = model().tokenize("he said").unwrap();
    assert_eq!(session.generate(&ids, &tokens(12)).unwrap().text, whole.text);
    session.set_prompt(&ids).unwrap();
    assert_eq!(session.generate(Prompt::Continue, &tokens(12)).unwrap().text, whole.text);
}

#[test]
fn seeds_decide() {
    let draw = |seed| {
        let options = tokens(16).top_k(50).top_p(0.99).min_p(0.0).typical_p(1.0).temperature(1.5).seed(seed);
        session().generate("he", &options).unwrap().tokens
    };
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    let penalties =
        tokens(4).repeat_penalty(1.2).frequency_penalty(0.1).presence_penalty(0.1).stage("repeat_penalty", &[1.1, 8.0]);
    session().generate("he", &penalties).unwrap();
    let best = session().generate("he", &tokens(1)).unwrap().tokens[0];
    let other = session().generate("he", &tokens(1).bias(best, f32::NEG_INFINITY)).unwrap().tokens[0];
    assert_ne!(best, other);
    assert!(sampler_names().unwrap().contains(&"min_p".to_string()));
}

#[test]
fn logprobs_come_best_first() {
    let mut session = session();
    let mut n = 0;
    for event in session.events("he", &tokens(3).logprobs(4)).unwrap() {
        let Event::Token(t) = event.unwrap() else { continue };
        assert_eq!(t.top.len(), 4);
        assert_eq!(Some(t.top[0].logprob), t.logprob);
        assert!(t.top.windows(2).all(|w| w[0].logprob >= w[1].logprob) && t.top[0].logprob <= 0.0);
        n += 1;
    }
    assert_eq!(n, 3);
}

#[test]
fn stops_end_the_text() {
    let mut session = session();
    let whole = session.generate("he said", &tokens(12)).unwrap();
    let stopped = session.generate("he said", &tokens(12).stop_token(whole.tokens[4])).unwrap();
    assert_eq!(stopped.finish, Finish::Stop);
    assert!(whole.tokens.starts_with(&stopped.tokens) && stopped.tokens.len() <= 5);
    assert_eq!(kind(session.generate("x", &tokens(1).stop("a\0b"))), ErrorKind::InvalidArgument);
}

#[test]
fn output_is_held_to_grammars() {
    let mut session = session();
    let mut made = |grammar: &Grammar| {
        session.generate("he", &GenerateOptions::new().max_tokens(60).grammar(grammar)).unwrap().text
    };
    let choices = Grammar::from_choices(["left", "right"]).unwrap();
    assert!(["left", "right"].contains(&made(&choices).as_str()));
    let phone = Grammar::from_regex("[0-9]{3}-[0-9]{4}").unwrap();
    assert!(phone.accepts(&made(&phone)).unwrap());
    let gbnf = Grammar::from_gbnf("root ::= \"<\" [a-c]{2,4} \">\"").unwrap();
    assert!(gbnf.accepts(&made(&gbnf)).unwrap());
    assert_eq!(made(&Grammar::from_gbnf_rule("a ::= \"x\"\nb ::= \"y\"", "b").unwrap()), "y");
    let schema = r#"{"type": "object", "properties": {"a": {"enum": [1, true]}}, "required": ["a"], "additionalProperties": false}"#;
    let json = Grammar::from_json_schema(schema, SchemaOptions { compact: true, ..Default::default() }).unwrap();
    assert!([r#"{"a":1}"#, r#"{"a":true}"#].contains(&made(&json).as_str()));
    let tools = r#"[{"type": "function", "function": {"name": "go", "parameters": {"type": "object", "properties":
        {"to": {"enum": ["A", "B"]}}, "required": ["to"], "additionalProperties": false}}}]"#;
    for choice in [ToolChoice::Required, ToolChoice::Function("go")] {
        let calls = Grammar::from_tools(tools, choice, false).unwrap();
        let text = "<tool_call>\n{\"name\": \"go\", \"arguments\": {\"to\": \"A\"}}\n</tool_call>";
        assert!(calls.accepts(text).unwrap() && !calls.accepts("no").unwrap());
        assert!(tool_calls(text).unwrap().contains("\"go\""));
    }
    assert_eq!(kind(Grammar::from_regex("(?=a)")), ErrorKind::Unsupported);
    assert_eq!(kind(Grammar::from_json_schema("{", SchemaOptions::default())), ErrorKind::InvalidArgument);
    assert_eq!(kind(Grammar::from_choices([""])), ErrorKind::InvalidArgument);
    assert_eq!(kind(Grammar::from_choices(Vec::<String>::new())), ErrorKind::InvalidArgument);
}

#[test]
fn dropping_an_iterator_ends_the_generation() {
    let mut session = session();
    assert!(session.stream("he", &tokens(0)).unwrap().next().is_some());
    assert!(matches!(session.step(UNLIMITED), Ok(Event::Done { .. })));
    let mut events = session.events("he", &tokens(2)).unwrap();
    assert_eq!(events.by_ref().count(), 3);
    assert!(events.next().is_none());
    assert_eq!(events.result().unwrap().generated_tokens, 2);
}

#[test]
fn tokens_and_cancellers_stop_what_runs() {
    let (mut session, token) = (session(), CancelToken::new().unwrap());
    let mut events = session.events("he", &tokens(0).cancel(&token)).unwrap();
    assert!(events.next().unwrap().is_ok());
    token.cancel();
    assert!(token.is_cancelled());
    assert_eq!(kind(events.next().unwrap()), ErrorKind::Cancelled);
    assert!(events.next().is_none());
    drop(events);
    assert_eq!(session.result().unwrap().finish, Finish::Cancelled);
    token.reset();
    session.generate("he", &tokens(2).cancel(&token)).unwrap();

    let canceller = session.canceller();
    canceller.cancel().unwrap();
    assert_eq!(kind(session.generate("he", &tokens(2))), ErrorKind::Cancelled);
    session.generate("he", &tokens(2)).unwrap();
    // From another thread, while it runs: a session that slides goes on for ever otherwise.
    let options = SessionOptions { ctx: 64, slide: true, ..Default::default() };
    let mut endless = model().session_with(&options).unwrap();
    let stop = endless.canceller();
    let thread = std::thread::spawn(move || endless.generate("he", &tokens(0)).map(|_| ()));
    while !thread.is_finished() {
        std::thread::sleep(Duration::from_millis(2));
        let _ = stop.cancel(); // an error once the session is gone
    }
    assert_eq!(kind(thread.join().unwrap()), ErrorKind::Cancelled);
    assert_eq!(kind(stop.cancel()), ErrorKind::InvalidArgument);
    drop(session);
    assert_eq!(kind(canceller.cancel()), ErrorKind::InvalidArgument);
}

#[test]
fn state_goes_to_bytes_and_files_and_back() {
    let (mut first, model) = (session(), model());
    let ids = model.tokenize("he said he").unwrap();
    assert_eq!(first.set_prompt(&ids).unwrap(), 0);
    let (state, file) = (first.save().unwrap(), std::env::temp_dir().join(format!("loquor-{}-ü", std::process::id())));
    first.save_file(&file).unwrap();
    let mut fork = first.fork().unwrap();
    let text = first.generate(Prompt::Continue, &tokens(6)).unwrap().text;
    assert_eq!(fork.generate(Prompt::Continue, &tokens(6)).unwrap().text, text);
    let mut second = session();
    second.load(&state).unwrap();
    assert_eq!(second.tokens().unwrap(), ids);
    assert_eq!(second.generate(Prompt::Continue, &tokens(6)).unwrap().text, text);
    second.load_file(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(second.generate(Prompt::Continue, &tokens(6)).unwrap().text, text);
    assert_eq!(kind(second.load(b"nothing of the kind")), ErrorKind::BadFile);
    assert_eq!(kind(second.load_file(&file)), ErrorKind::NotFound);
    assert_eq!(kind(second.save_file("/does/not/exist/state")), ErrorKind::Io);
    let mut other = model.session_with(&SessionOptions { kv_type: Some("q8_0".into()), ..Default::default() }).unwrap();
    assert_eq!(kind(other.load(&state)), ErrorKind::Mismatch);
}

#[test]
fn the_cache_is_the_callers() {
    let (mut session, model) = (session(), model());
    let ids = model.tokenize("he said he").unwrap();
    session.feed(&ids[..4]).unwrap();
    let (sum, scored) = session.score(&ids[4..]).unwrap();
    assert!(sum < 0.0 && scored == ids.len() - 4);
    assert_eq!((session.len(), session.capacity(), session.is_empty()), (ids.len(), 128, false));
    assert!(session.memory() > 0);
    let row = session.logits().unwrap().to_vec();
    assert_eq!(row.len(), 260);
    assert_eq!(session.logits_of(&[5, 7]).unwrap(), [row[5], row[7]]);
    assert_eq!(
        sample(&GenerateOptions::new(), &row, &[], 0).unwrap(),
        session.generate(Prompt::Continue, &tokens(1)).unwrap().tokens[0]
    );
    session.rewind(2).unwrap();
    assert_eq!(session.tokens().unwrap(), ids[..2]);
    assert_eq!(session.set_prompt(&ids).unwrap(), 2);
    session.set_adapters(&[]).unwrap();
    assert_eq!(kind(session.rewind(100)), ErrorKind::InvalidArgument);
    assert_eq!(kind(session.feed(&[-1])), ErrorKind::InvalidArgument);
    assert_eq!(kind(session.feed(&vec![5; 500])), ErrorKind::ContextFull);
}

#[test]
fn conversations_go_through_the_template() {
    let (model, talk) = (model(), [Message::system("Be brief."), Message::user("<|im_end|>")]);
    let text =
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(model.render(&talk).unwrap(), text);
    let template = ChatTemplate::of(&model).unwrap();
    let ids = template.tokenize(&model, &talk, &ChatOptions::default()).unwrap();
    assert_eq!(ids.iter().filter(|&&id| id == 2).count(), 2, "what a user wrote ends nothing");
    let mut session = session();
    session.generate(&talk, &tokens(2)).unwrap();
    assert_eq!(session.tokens().unwrap()[..ids.len()], ids);
    let own = ChatTemplate::new("{{ messages[0].role }} is {{ messages[0].mood }}, {{ place }}", None).unwrap();
    let options = ChatOptions { extra: Some(r#"{"place": "here"}"#.into()), ..Default::default() };
    let message = Message::new("user", "").with_extra(r#"{"mood": "good"}"#);
    assert_eq!(own.render(std::slice::from_ref(&message), &options).unwrap(), "user is good, here");
    assert_eq!(kind(own.render(&[message.with_extra("{")], &options)), ErrorKind::InvalidArgument);
    let wrong = ChatTemplate::new("{{ raise_exception('no') }}", None).unwrap();
    assert_eq!(kind(wrong.render(&talk, &options)), ErrorKind::Template);
    let endless = ChatTemplate::new("{% for i in range(100000000) %}x{% endfor %}", None).unwrap();
    assert_eq!(kind(endless.render(&talk, &ChatOptions { max_steps: 1000, ..Default::default() })), ErrorKind::Limit);
}

#[test]
fn threads_share_models_and_their_messages_stay_apart() {
    let expected = session().generate("he said", &tokens(8)).unwrap().text;
    let shared = Arc::new(Mutex::new(session()));
    let threads: Vec<_> = (0..4)
        .map(|i| {
            let (shared, expected) = (shared.clone(), expected.clone());
            std::thread::spawn(move || {
                assert_eq!(session().generate("he said", &tokens(8)).unwrap().text, expected);
                shared.lock().unwrap().feed(&[i, 5]).unwrap();
                let missing = format!("/none/{i}");
                assert!(Model::load(&missing).unwrap_err().message().contains(&missing));
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(shared.lock().unwrap().len(), 8);
}

#[test]
fn errors_say_what_is_wrong() {
    let mut session = session();
    for (options, expected) in [
        (tokens(1).top_p(7.0), ErrorKind::InvalidArgument),
        (tokens(1).stage("top_q", &[1.0]), ErrorKind::NotFound),
        (tokens(1).logprobs(1000), ErrorKind::InvalidArgument),
        (tokens(1).bias(-1, 1.0), ErrorKind::InvalidArgument),
        (tokens(1).bias(100_000, 1.0), ErrorKind::InvalidArgument),
    ] {
        let error = session.generate("x", &options).unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert!(!error.message().is_empty());
    }
    assert_eq!(kind(common::session().step(UNLIMITED)), ErrorKind::InvalidArgument);
    assert_eq!(kind(model().embedder(&EmbedderOptions::default())), ErrorKind::Unsupported);
    assert_eq!(kind(model().load_adapter("/none")), ErrorKind::NotFound);
    let odd = SessionOptions { kv_type: Some("q3".into()), ..Default::default() };
    assert_eq!(kind(model().session_with(&odd)), ErrorKind::InvalidArgument);
    fn question_mark() -> std::io::Result<Model> {
        Ok(Model::load("/none")?)
    }
    assert_eq!(question_mark().unwrap_err().kind(), std::io::ErrorKind::NotFound);
}

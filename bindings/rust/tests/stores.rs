//! Stores and composed prompts, on the tiny model. LQ_ENCODER names a small text encoder; without, only words are searched.

mod common;

use common::{kind, model, session};
use loquor::*;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;

/// A file that is removed at the end, with what the store keeps beside it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("loquor-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A store, or nothing where the library was built without them, which is said.
fn open(folder: &Folder, encoder: Option<&Model>) -> Option<Store> {
    match Store::open(folder.file(), encoder) {
        Err(e) if e.kind() == ErrorKind::Unsupported => {
            println!("SKIPPED: {e}");
            None
        }
        other => Some(other.unwrap()),
    }
}

fn documents() -> Vec<Document> {
    let mut sky = Document::new("sky", "The sky is blue because air scatters blue light.");
    sky.metadata = Some(r#"{"year": 2020}"#.into());
    sky.title = Some("Sky".into());
    let mut sea = Document::new("sea", "# Sea\n\nThe sea is salty because rivers carry salt.");
    sea.kind = TextKind::Markdown;
    vec![sky, sea, Document::new("none", "")]
}

#[test]
fn documents_are_added_found_and_removed() {
    let folder = Folder::new("words");
    let Some(mut store) = open(&folder, None) else { return };
    let mut told = Vec::new();
    let progress = |done, all| {
        told.push((done, all));
        ControlFlow::Continue(())
    };
    let report = store.add_with(&documents(), progress, Some(&CancelToken::new().unwrap())).unwrap();
    assert!(report.contains("\"added\":2") || report.contains("\"added\": 2"), "{report}");
    assert_eq!(told.last(), Some(&(3, 3)));
    assert!(store.info(true).unwrap().contains("sea"));
    assert_eq!(store.text("sky").unwrap(), documents()[0].text);
    let words = SearchOptions { mode: SearchMode::Words, ..Default::default() };
    let found = store.search("salty rivers", &words).unwrap();
    assert!(found.contains("sea") && !found.contains("blue"), "{found}");
    let filtered = SearchOptions { filter: Some(r#"{"year": {"$gte": 2000}}"#.into()), ..words.clone() };
    assert!(store.search("because", &filtered).unwrap().contains("sky"));
    assert_eq!(
        kind(store.search("x", &SearchOptions { filter: Some("{".into()), ..words })),
        ErrorKind::InvalidArgument
    );
    assert_eq!(
        kind(store.search("x", &SearchOptions { mode: SearchMode::Dense, ..Default::default() })),
        ErrorKind::Unsupported
    );
    assert_eq!((store.remove("sky").unwrap(), store.remove("sky").unwrap()), (true, false));
    assert_eq!(kind(store.text("sky")), ErrorKind::NotFound);
    let token = CancelToken::new().unwrap();
    token.cancel();
    assert_eq!(
        kind(store.add_with(&documents(), |_, _| ControlFlow::Continue(()), Some(&token))),
        ErrorKind::Cancelled
    );
    let panic = catch_unwind(AssertUnwindSafe(|| drop(store.add_with(&documents(), |_, _| panic!("progress"), None))));
    assert!(panic.is_err());
    drop(store);
    let reader = StoreOptions { read_only: true, ..Default::default() };
    let mut store = Store::open_with(folder.file(), None, &reader).unwrap();
    assert_eq!(kind(store.add(&[Document::new("new", "Something new.")])), ErrorKind::Io);
}

#[test]
fn questions_are_answered_from_them() {
    let folder = Folder::new("ask");
    let Some(mut store) = open(&folder, None) else { return };
    store.add(&documents()).unwrap();
    let large = SessionOptions { ctx: 1024, slide: true, ..Default::default() };
    let mut session = model().session_with(&large).unwrap();
    let mut streamed = String::new();
    let options =
        AskOptions { max_tokens: 8, no_guards: true, instructions: Some("Say it.".into()), ..Default::default() };
    let answer = store.ask_with(&mut session, "Why is the sea salty?", &options, |piece| {
        streamed += piece;
        ControlFlow::Continue(())
    });
    let answer = answer.unwrap();
    assert!(answer.contains("\"sources\"") && answer.contains("sea"), "{answer}");
    assert!(store.ask(&mut session, "zyx?", &options).unwrap().contains("\"abstained\""));
    let mut fails = || drop(store.ask_with(&mut session, "Why is the sea salty?", &options, |_| panic!("piece")));
    assert!(catch_unwind(AssertUnwindSafe(&mut fails)).is_err());
}

#[test]
fn vectors_are_searched_and_indexed() {
    let Ok(encoder) = std::env::var("LQ_ENCODER") else {
        println!("SKIPPED: needs LQ_ENCODER");
        return;
    };
    let (folder, encoder) = (Folder::new("dense"), LoadOptions::new().threads(1).load(encoder).unwrap());
    let Some(mut store) = open(&folder, Some(&encoder)) else { return };
    drop(encoder); // the store keeps it
    store.add(&documents()).unwrap();
    let dense = SearchOptions { mode: SearchMode::Dense, k: 1, exact: true, ..Default::default() };
    assert!(store.search("sky", &dense).unwrap().contains("cosine"));
    assert_eq!(kind(store.index(|_, _| ControlFlow::Break(()), None)), ErrorKind::Cancelled);
    store.index(|_, _| ControlFlow::Continue(()), None).unwrap();
}

#[test]
fn prompts_are_composed() {
    let options = r#"{"role": "R", "instructions": "I", "examples": [{"input": "a", "output": "left"}], "choices": ["left", "right"]}"#;
    let mut prompt = ComposedPrompt::new(options, None).unwrap();
    let built = prompt.build(&model(), "q", 0).unwrap();
    assert!(built.contains("<|im_start|>"), "{built}");
    let answer = prompt.ask(&mut session(), "q", Some(&CancelToken::new().unwrap())).unwrap();
    assert!(answer.contains("left") || answer.contains("right"), "{answer}");
    let token = CancelToken::new().unwrap();
    token.cancel();
    assert_eq!(kind(prompt.ask(&mut session(), "q", Some(&token))), ErrorKind::Cancelled);
    assert_eq!(kind(ComposedPrompt::new("{", None)), ErrorKind::InvalidArgument);
}

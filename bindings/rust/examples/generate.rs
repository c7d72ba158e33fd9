//! Goes on with a text: `cargo run --example generate -- MODEL PROMPT [TOKENS]`.

use loquor::{GenerateOptions, Model};
use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(source), Some(prompt)) = (words.next(), words.next()) else {
        return Err("usage: generate MODEL PROMPT [TOKENS]".into());
    };
    let n = words.next().map_or(Ok(64), |w| w.parse())?;
    let model = Model::load(source)?;
    let mut session = model.session()?;
    let mut stream = session.stream(&prompt, &GenerateOptions::new().max_tokens(n).top_p(0.9).temperature(0.7))?;
    for piece in stream.by_ref() {
        print!("{}", piece?);
        std::io::stdout().flush()?;
    }
    let made = stream.result()?;
    println!("\n{} tokens, {:.1} a second, ended by {}", made.generated_tokens, made.decode_per_second, made.finish);
    Ok(())
}

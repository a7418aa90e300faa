//! What a reader of the Markdown meets: how long the guides and their sentences are.

use std::fs;
use std::path::Path;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The guides, with the most lines of each and the most words that their sentences may have on average. The READMEs of
/// crates have their own limits of lines, in `packages.rs`.
const GUIDES: [(&str, usize, f64); 14] = [
    ("README.md", 200, 11.0),
    ("ARCHITECTURE.md", 160, 11.0),
    ("CONTRIBUTING.md", 110, 11.0),
    ("SECURITY.md", 60, 13.0),
    ("intercom-catalogue/README.md", 120, 13.0),
    ("intercom-cli/README.md", 120, 13.0),
    ("intercom-core/README.md", 120, 13.0),
    ("intercom-delivery/README.md", 120, 13.0),
    ("intercom-derive/README.md", 120, 13.0),
    ("intercom-http/README.md", 120, 13.0),
    ("intercom-postgres/README.md", 120, 13.0),
    ("intercom-rules/README.md", 120, 13.0),
    ("intercom-sandbox/README.md", 120, 13.0),
    ("intercom-sqlite/README.md", 120, 14.0),
];

/// The most words of a sentence.
const MAX_WORDS: usize = 25;

#[test]
fn the_guides_are_short_and_so_are_their_sentences() {
    let mut faults = Vec::new();
    for (file, max_lines, max_mean) in GUIDES {
        let text = fs::read_to_string(root().join(file)).expect("a guide");
        let lines = text.lines().count();
        if lines > max_lines {
            faults.push(format!("{file}: {lines} lines, more than {max_lines}"));
        }
        let sentences = sentences(&text);
        assert!(sentences.len() > 10, "{file} has {} sentences only", sentences.len());
        for sentence in &sentences {
            let words = words(sentence);
            if words > MAX_WORDS {
                faults.push(format!("{file}: {words} words, more than {MAX_WORDS}: {sentence}"));
            }
        }
        let all: usize = sentences.iter().map(|sentence| words(sentence)).sum();
        let mean = all as f64 / sentences.len() as f64;
        if mean > max_mean {
            faults.push(format!("{file}: {mean:.1} words a sentence, more than {max_mean}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_readme_is_a_guide() {
    for folder in fs::read_dir(root()).expect("the workspace") {
        let folder = folder.expect("an entry").file_name();
        let readme = format!("{}/README.md", folder.display());
        if root().join(&readme).exists() {
            assert!(GUIDES.iter().any(|(file, ..)| *file == readme), "{readme} has no limits");
        }
    }
}

#[test]
fn a_sentence_ends_with_its_mark_or_its_block() {
    let text = "# A title\n\nOne `a. b c` two! Three\nfour.\n\n- five:\n- [six seven](to.md). Eight\n\n\
                | a table |\n|---|\n| of. Cells. |\n\n```sh\nno code. None.\n```\n\n![An image. Here](a.png)";
    let found = sentences(text);
    let expected = ["One `a.\u{a0}b\u{a0}c` two!", "Three four.", "five:", "six seven.", "Eight"];
    assert_eq!(found, expected);
    assert_eq!(found.iter().map(|sentence| words(sentence)).collect::<Vec<_>>(), [3, 2, 1, 2, 1]);
}

/// Returns the sentences of the paragraphs and lists: titles, tables, code blocks and images have none.
fn sentences(markdown: &str) -> Vec<String> {
    let (mut found, mut block, mut skipped) = (Vec::new(), String::new(), 0);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(
                Tag::Heading { .. } | Tag::Table(_) | Tag::CodeBlock(_) | Tag::Image { .. },
            ) => skipped += 1,
            Event::End(TagEnd::Heading(_) | TagEnd::Table | TagEnd::CodeBlock | TagEnd::Image) => {
                skipped -= 1
            }
            Event::Start(Tag::Paragraph | Tag::Item | Tag::List(_))
            | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::List(_)) => {
                split(&block, &mut found);
                block.clear();
            }
            _ if skipped > 0 => {}
            Event::Text(text) => block.push_str(&text),
            // Code is one word.
            Event::Code(code) => block.push_str(&format!("`{}`", code.replace(' ', "\u{a0}"))),
            Event::SoftBreak | Event::HardBreak => block.push(' '),
            _ => {}
        }
    }
    found
}

/// Splits the text of a block behind each `.`, `!` and `?` that ends a word.
fn split(block: &str, found: &mut Vec<String>) {
    let mut sentence: Vec<&str> = Vec::new();
    for word in block.split_ascii_whitespace() {
        sentence.push(word);
        if word.trim_end_matches(['"', ')']).ends_with(['.', '!', '?']) {
            found.push(sentence.join(" "));
            sentence.clear();
        }
    }
    if !sentence.is_empty() {
        found.push(sentence.join(" "));
    }
}

fn words(sentence: &str) -> usize {
    sentence.split(' ').filter(|word| word.contains(char::is_alphanumeric)).count()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

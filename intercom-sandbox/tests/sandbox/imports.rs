//! The sandbox's modules import each other in one direction, without a cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Returns the top-level modules, each with its imports.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = BTreeMap::new();
    for entry in fs::read_dir(&source).expect("there is a source") {
        let path = entry.expect("a readable folder").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        // `lib.rs` declares all modules, and the program is a crate beside it.
        if ["lib", "main", "program"].contains(&&*name) {
            continue;
        }
        let mut found = BTreeSet::new();
        read(&path, &mut found);
        found.remove(&name);
        imports.insert(name, found);
    }
    let modules: BTreeSet<_> = imports.keys().cloned().collect();
    for found in imports.values_mut() {
        // A re-export at the top, for example in a doc link, is not a module.
        found.retain(|name| modules.contains(name));
    }
    imports
}

fn read(path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder") {
            read(&entry.expect("a readable folder").path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).expect("it is text");
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        for rest in code.split("crate::").skip(1) {
            match rest.strip_prefix('{').and_then(|group| group.split('}').next()) {
                Some(group) => found.extend(group.split(',').map(|name| first_word(name.trim()))),
                None => found.extend([first_word(rest)]),
            }
        }
    }
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn no_module_imports_itself_by_others() {
    let mut left = imports();
    assert!(
        left.len() > 30 && left["api"].contains("workspace"),
        "the test finds imports: {left:?}"
    );
    // A module without remaining imports cannot be in a cycle; removing such modules leaves the
    // cycles.
    while let Some(free) =
        left.iter().find(|(_, imports)| imports.is_empty()).map(|(name, _)| name.clone())
    {
        left.remove(&free);
        left.values_mut().for_each(|imports| {
            imports.remove(&free);
        });
    }
    assert!(left.is_empty(), "these import each other in a circle: {left:#?}");
}

#[test]
fn nothing_below_imports_the_builder() {
    let importers: Vec<_> =
        imports().into_iter().filter(|(_, imports)| imports.contains("builder")).collect();
    assert!(importers.is_empty(), "{importers:?}");
}

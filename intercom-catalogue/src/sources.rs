//! Searches a crate's sources for events that no catalogue lists.
//!
//! The search reads sources, because a list that the linker collects silently drops unreferenced
//! code.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprLit, Ident, Item, ItemEnum, ItemMod, ItemStruct, Lit, Meta, Token};

use crate::plan::Plan;

/// The reason that [`Plan::check_complete`] fails.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SourcesError {
    /// Reading a file or a folder failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// A file is not valid Rust.
    #[error("{}: {error}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The crate derives no event, so the check would be empty.
    #[error(
        "no type in {} derives `IntercomEvent`: pass `env!(\"CARGO_MANIFEST_DIR\")` of the crate \
         that has the events", .0.display()
    )]
    NoEvents(PathBuf),
    /// The catalogue lacks events.
    #[error(
        "the catalogue `{catalogue}` does not list every event of the crate:\n{}",
        lines(unlisted)
    )]
    Unlisted {
        /// The catalogue.
        catalogue: String,
        /// The missing events.
        unlisted: Vec<Unlisted>,
    },
}

/// A test that returns this error prints its `Debug`, so `Debug` is the error's sentence.
impl fmt::Debug for SourcesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn lines(unlisted: &[Unlisted]) -> String {
    unlisted.iter().map(|unlisted| format!("  {unlisted}\n")).collect()
}

/// A type that derives `IntercomEvent`, with an event that the catalogue does not list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unlisted {
    /// The file, relative to the crate's folder.
    pub path: PathBuf,
    /// The line of the type, counted from 1.
    pub line: usize,
    /// The type.
    pub ident: String,
    /// The event's name.
    pub name: String,
}

impl fmt::Display for Unlisted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unlisted { path, line, ident, name } = self;
        write!(f, "{}:{line}: add `{ident}`, which sends `{name}`", path.display())
    }
}

impl Plan {
    /// Asserts that the catalogue lists each type in a crate's folder `src` that derives
    /// `IntercomEvent`. Call it in a test:
    /// `Plan::of(&ACME).assert_complete(env!("CARGO_MANIFEST_DIR"))`.
    ///
    /// The check ignores code under `#[cfg(test)]` and test functions. It does not see types that a
    /// macro makes.
    ///
    /// # Panics
    ///
    /// Panics when the catalogue lacks a type, and names the file and line of each. Panics when no
    /// type there derives `IntercomEvent`, a file is not valid Rust, or reading the sources fails.
    #[track_caller]
    pub fn assert_complete(&self, crate_dir: impl AsRef<Path>) {
        if let Err(error) = self.check_complete(crate_dir) {
            panic!("{error}");
        }
    }

    /// Checks what [`assert_complete`](Self::assert_complete) asserts.
    ///
    /// # Errors
    ///
    /// Fails where `assert_complete` panics.
    pub fn check_complete(&self, crate_dir: impl AsRef<Path>) -> Result<(), SourcesError> {
        let root = crate_dir.as_ref();
        let derived = derived_in(root)?;
        if derived.is_empty() {
            return Err(SourcesError::NoEvents(root.into()));
        }
        let unlisted: Vec<_> =
            derived.into_iter().filter(|event| self.event(&event.name).is_none()).collect();
        match unlisted.is_empty() {
            true => Ok(()),
            false => Err(SourcesError::Unlisted { catalogue: self.name.clone(), unlisted }),
        }
    }
}

/// Returns every event that a crate's `src` derives, by file and line.
fn derived_in(root: &Path) -> Result<Vec<Unlisted>, SourcesError> {
    let mut paths = Vec::new();
    files(&root.join("src"), &mut paths)?;
    paths.sort();
    let mut derived = Vec::new();
    let mut of_tests = Vec::new();
    for path in paths {
        let failed = |error| SourcesError::Io { path: path.clone(), error };
        let text = fs::read_to_string(&path).map_err(failed)?;
        let file = syn::parse_file(&text)
            .map_err(|error| SourcesError::Syntax { path: path.clone(), error: error.into() })?;
        let shown = path.strip_prefix(root).unwrap_or(&path).to_owned();
        let mut search = Search { shown, path: &path, found: Vec::new(), of_tests: &mut of_tests };
        if !is_for_tests(&file.attrs) {
            search.visit_file(&file);
        }
        derived.extend(search.found.into_iter().map(|found| (path.clone(), found)));
    }
    // The search may read a module's file before the file that declares it under `#[cfg(test)]`.
    derived.retain(|(path, _)| !of_tests.iter().any(|folder| path.starts_with(folder)));
    Ok(derived.into_iter().map(|(_, found)| found).collect())
}

fn files(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), SourcesError> {
    let failed = |error| SourcesError::Io { path: folder.into(), error };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            files(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    Ok(())
}

/// The search for events in one file.
struct Search<'a> {
    shown: PathBuf,
    path: &'a Path,
    found: Vec<Unlisted>,
    /// The files and folders of test modules.
    of_tests: &'a mut Vec<PathBuf>,
}

impl Search<'_> {
    fn add(&mut self, ident: &Ident, attrs: &[Attribute]) {
        if let Some(name) = event_name(attrs) {
            let line = ident.span().start().line;
            let (path, ident) = (self.shown.clone(), ident.to_string());
            self.found.push(Unlisted { path, line, ident, name });
        }
    }

    /// Excludes the files of a test module that this file declares.
    fn exclude(&mut self, module: &ItemMod) {
        let folder = match self.path.file_stem().and_then(|stem| stem.to_str()) {
            Some("lib" | "main" | "mod") | None => self.path.parent().map(Path::to_owned),
            Some(_) => Some(self.path.with_extension("")),
        };
        let name = module.ident.to_string();
        if let Some(folder) = folder {
            self.of_tests.push(folder.join(format!("{name}.rs")));
            self.of_tests.push(folder.join(&name));
        }
    }
}

impl<'ast> Visit<'ast> for Search<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attrs(item)) {
            if let Item::Mod(module) = item
                && module.content.is_none()
            {
                self.exclude(module);
            }
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        if derives_event(&item.attrs) {
            self.add(&item.ident, &item.attrs);
        }
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        if derives_event(&item.attrs) {
            for variant in &item.variants {
                let before = self.found.len();
                self.add(&item.ident, &variant.attrs);
                for found in &mut self.found[before..] {
                    found.line = variant.ident.span().start().line;
                }
            }
        }
    }
}

fn attrs(item: &Item) -> &[Attribute] {
    match item {
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns whether the attributes have `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]` or
/// `…::test`.
fn is_for_tests(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        if attr.path().is_ident("cfg") {
            return attr.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition));
        }
        attr.path().segments.last().is_some_and(|last| last.ident == "test")
    })
}

fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => {
            metas(list).iter().flatten().any(needs_test)
        }
        _ => false,
    }
}

fn metas(list: &syn::MetaList) -> Option<Punctuated<Meta, Token![,]>> {
    list.parse_args_with(Punctuated::parse_terminated).ok()
}

/// Returns whether a `derive`, also in a `cfg_attr`, has `IntercomEvent` under any path.
fn derives_event(attrs: &[Attribute]) -> bool {
    fn derives(meta: &Meta) -> bool {
        let Meta::List(list) = meta else { return false };
        if list.path.is_ident("derive") {
            let is_event = |path: &Meta| {
                path.path().segments.last().is_some_and(|last| last.ident == "IntercomEvent")
            };
            return metas(list).iter().flatten().any(is_event);
        }
        list.path.is_ident("cfg_attr") && metas(list).iter().flatten().skip(1).any(derives)
    }
    attrs.iter().any(|attr| derives(&attr.meta))
}

/// Returns the name in `#[event(name = "…")]`.
fn event_name(attrs: &[Attribute]) -> Option<String> {
    let lists = attrs.iter().filter(|attr| attr.path().is_ident("event"));
    let metas = lists.filter_map(|attr| match &attr.meta {
        Meta::List(list) => {
            list.parse_args_with(Punctuated::<Word, Token![,]>::parse_terminated).ok()
        }
        _ => None,
    });
    metas.flatten().find_map(|word| word.name)
}

/// One word of an `#[event(…)]`, with the name's value. `Meta` cannot parse `crate` as a path.
struct Word {
    name: Option<String>,
}

impl syn::parse::Parse for Word {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Self> {
        use syn::ext::IdentExt;
        let word = input.call(Ident::parse_any)?;
        let mut name = None;
        if input.parse::<Option<Token![=]>>()?.is_some() {
            let value: Expr = input.parse()?;
            if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &value
                && word == "name"
            {
                name = Some(text.value());
            }
        }
        Ok(Word { name })
    }
}

//! The rules of the house, as tests: who may know whom, and what a file looks like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The arrows of `src/lib.rs`, from left to right: nothing knows what stands before it.
const RANKS: [&[&str]; 10] = [
    &["main"],
    &["cli"],
    &["http"],
    &["schema"],
    &["app", "backup"],
    &["photos", "counters"],
    &["accounts"],
    &["storage", "mail"],
    &["store"],
    &[
        "config",
        "clock",
        "error",
        "payload",
        "caller",
        "id",
        "page",
        "scalars",
        "data_dir",
        "upload",
        "batching",
        "supervise",
    ],
];
const MAX_LINES: usize = 400;

struct Source {
    /// Below the repository's top, such as `src/http/mod.rs`.
    path: String,
    text: String,
}

impl Source {
    /// `counters` for `src/counters/next.rs`, `app` for `src/app.rs`.
    fn module(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split(['/', '.']).next().filter(|module| *module != "lib")
    }

    /// The file's own name, without its ending.
    fn name(&self) -> &str {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        file.split('.').next().unwrap_or_default()
    }

    /// A slice's `graphql.rs`, or a file of its folder `graphql`.
    fn is_graphql(&self) -> bool {
        self.name() == "graphql" || self.path.contains("/graphql/")
    }

    /// Without comments and unit tests.
    fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The top-level modules of the crate that it names.
    fn knows(&self) -> BTreeSet<String> {
        let code = self.code();
        let mut known = BTreeSet::new();
        for start in ["crate::", "cloakroom::"] {
            for after in code.split(start).skip(1) {
                match after.strip_prefix('{') {
                    Some(list) => known.extend(first_words(list.split('}').next().unwrap_or_default())),
                    None => known.extend(first_words(after.lines().next().unwrap_or_default()).into_iter().take(1)),
                }
            }
        }
        known
    }
}

/// The first word of each element of a list such as `app::App, id`.
fn first_words(list: &str) -> Vec<String> {
    let word =
        |element: &str| element.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    list.split(',').map(word).filter(|word| !word.is_empty()).collect()
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| top().join(folder)).collect();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(top()).expect("below the top").to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(!sources.is_empty());
    sources
}

fn everything() -> Vec<Source> {
    sources(&["src", "documents", "migration/src", "normalization/src", "tests", "benches", "fuzz/fuzz_targets"])
}

fn none(broken: &[String], what_to_do: &str) {
    assert!(broken.is_empty(), "{what_to_do}\n  {}", broken.join("\n  "));
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn no_module_knows_what_stands_to_its_left() {
    let mut broken = Vec::new();
    for source in sources(&["src"]) {
        let Some(module) = source.module() else { continue };
        let Some(own) = rank(module) else {
            broken.push(format!("{}: {module} has no place yet", source.path));
            continue;
        };
        for known in source.knows() {
            if known != module && rank(&known).is_some_and(|other| other < own) {
                broken.push(format!("{} knows {known}", source.path));
            }
        }
    }
    none(
        &broken,
        "turn the arrow round, or hand it in from outside (as app.rs hands `furnish` to accounts); a new module needs a place in RANKS and in src/lib.rs:",
    );
}

#[test]
fn modules_of_one_rank_know_each_other_without_circles() {
    let alphabet = RANKS.iter().flat_map(|modules| modules.iter().filter(|_| modules.len() > 1));
    let mut left: Vec<(String, String)> = alphabet
        .flat_map(|module| {
            let knows = sources(&["src"]).into_iter().filter(|source| source.module() == Some(module));
            let knows: Vec<String> = knows.flat_map(|source| source.knows()).collect();
            knows.into_iter().map(|known| ((*module).to_owned(), known)).filter(|(from, to)| from != to)
        })
        .collect();
    // Whoever knows nobody that is left is in no circle.
    while let Some(at) = left.iter().position(|(_, to)| !left.iter().any(|(from, _)| from == to)) {
        left.swap_remove(at);
    }
    let circle: Vec<String> = left.iter().map(|(from, to)| format!("{from} knows {to}")).collect();
    none(&circle, "break the circle: move what both need to the one further right:");
}

#[test]
fn slices_know_nothing_of_graphql_and_http_but_at_their_edges() {
    let (mut graphql, mut http, mut app) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources(&["src"]) {
        let module = source.module().unwrap_or_default();
        let slice = ["accounts", "counters", "photos", "storage", "store", "app"].contains(&module);
        let code = source.code();
        if slice && !source.is_graphql() && source.name() != "loader" && code.contains("async_graphql") {
            graphql.push(source.path.clone());
        }
        if !["http", "error", "cli"].contains(&module) && code.contains("axum") {
            http.push(source.path.clone());
        }
        if source.is_graphql() && slice && source.knows().contains("app") {
            app.push(source.path.clone());
        }
    }
    none(&graphql, "only a slice's graphql.rs and loader.rs may name async_graphql: move it there:");
    none(&http, "only src/http and src/error.rs may name axum: move it there:");
    none(&app, "a slice's graphql.rs takes its own slice from the context, never the App:");
}

#[test]
fn migrations_stand_alone() {
    let knows = |source: &Source| {
        let code = source.code().replace("identity", "");
        code.contains("cloakroom") || code.contains("entity")
    };
    let broken: Vec<String> = sources(&["migration/src"]).into_iter().filter(knows).map(|source| source.path).collect();
    none(&broken, "a migration is history: write its tables out instead of importing entities, which change:");
}

#[test]
fn migrations_take_their_steps_from_steps_rs() {
    let is_migration = |source: &Source| source.name().starts_with('m') && source.name() != "main";
    let changes = |source: &Source| source.code().contains("manager.") || source.code().contains("rename");
    let broken = sources(&["migration/src"]).into_iter().filter(|source| is_migration(source) && changes(source));
    let broken: Vec<String> = broken.map(|source| source.path).collect();
    none(&broken, "a migration may be interrupted and run again: use the repeatable steps of steps.rs, or add one:");
}

#[test]
fn files_are_short_and_introduce_themselves() {
    let (mut long, mut silent) = (Vec::new(), Vec::new());
    for source in everything() {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{} has {lines} lines", source.path));
        }
        if !source.text.starts_with("//!") {
            silent.push(source.path);
        }
    }
    none(&long, "no file is longer than 400 lines: split it along its verbs:");
    none(&silent, "begin the file with a `//!` line that says what it is for:");
}

#[test]
fn no_file_is_an_attic() {
    let attics = ["utils", "util", "common", "helpers", "helper", "types", "misc", "manager", "service"];
    let is_attic = |source: &Source| source.path.split(['/', '.']).any(|part| attics.contains(&part));
    let broken: Vec<String> = everything().into_iter().filter(is_attic).map(|source| source.path).collect();
    none(&broken, "name the file after what is in it, or move its parts to those who use them:");
}

#[test]
fn an_error_is_printed_with_each_of_its_causes_once() {
    let mut broken = Vec::new();
    for source in sources(&["src"]).into_iter().filter(|source| source.name() != "tests") {
        let code = source.code();
        let wrong = ["?error", "?cause", "{error:#}", "{error:?}"].into_iter().filter(|way| code.contains(way));
        broken.extend(wrong.map(|way| format!("{}: {way}", source.path)));
    }
    none(&broken, "some errors repeat the text of their cause and others leave it out: use error::one_line or chain:");
}

#[test]
fn nothing_is_left_for_later() {
    // Written in halves, so that this file does not find itself.
    let marks = [("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("db", "g!"), ("to", "do!"), ("unimple", "mented!")];
    let marks = marks.map(|(one, other)| format!("{one}{other}"));
    let mut broken = Vec::new();
    for source in everything() {
        for (number, line) in source.text.lines().enumerate() {
            broken.extend(marks.iter().filter(|mark| line.contains(*mark)).map(|mark| {
                let number = number + 1;
                format!("{}:{number} {mark}", source.path)
            }));
        }
    }
    none(&broken, "do it now, or open an issue:");
}

#[test]
fn every_dependency_is_used() {
    let mut broken = Vec::new();
    for (manifest, folders) in [
        ("Cargo.toml", &["src", "tests", "benches"][..]),
        ("migration/Cargo.toml", &["migration/src"]),
        ("documents/Cargo.toml", &["documents"]),
        ("normalization/Cargo.toml", &["normalization/src"]),
    ] {
        let manifest_text = fs::read_to_string(top().join(manifest)).expect("a manifest");
        let code: String = sources(folders).iter().map(|source| source.text.as_str()).collect();
        let mut in_dependencies = false;
        for line in manifest_text.lines() {
            if line.starts_with('[') {
                in_dependencies = ["[dependencies]", "[dev-dependencies]"].contains(&line);
                continue;
            }
            let name = line.split([' ', '.', '=']).next().unwrap_or_default();
            // It is there for its version alone: see the comment above it.
            let pinned = name == "libsqlite3-sys";
            let word = name.replace('-', "_");
            let used = code.contains(&format!("{word}::")) || code.contains(&format!("use {word}"));
            if in_dependencies && !name.is_empty() && !name.starts_with('#') && !pinned && !used {
                broken.push(format!("{manifest}: {name}"));
            }
        }
    }
    none(&broken, "nothing uses these dependencies: remove them:");
}

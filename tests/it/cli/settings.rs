//! `cloakroom config`, `schema` and `--help`: where a setting comes from, and what is refused.

use std::collections::BTreeMap;

use cloakroom::config::DEFAULTS;

use super::{Place, Said, cloakroom, run};

/// Each setting, by its dotted name, of what looks like `[section]` and `key = value`.
fn settings(toml: &str) -> BTreeMap<String, String> {
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in toml.lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, value)) = line.split_once(" = ") {
            found.insert(format!("{section}.{key}"), value.to_owned());
        }
    }
    found
}

fn in_force(said: Said) -> BTreeMap<String, String> {
    settings(&said.output())
}

#[test]
fn help_mentions_every_command_and_setting_flag() {
    let help = run(&mut cloakroom(&["--help"])).output();
    for word in [
        "serve",
        "migrate",
        "schema",
        "keys",
        "users",
        "photos",
        "backup",
        "restore",
        "console",
        "config",
        "--listen",
        "--data-dir",
        "--database",
        "--migrate",
        "--config",
        "127.0.0.1:8000",
        "./data",
        "CLOAKROOM__SERVER__LISTEN",
    ] {
        assert!(help.contains(word), "{word} is not in {help}");
    }
    for (command, words) in [
        ("migrate", &["up", "down", "status", "fresh"][..]),
        ("keys", &["generate", "rotate", "list"]),
        ("console", &["--as", "--execute", "--vars", ".help", "Examples"]),
        ("photos", &["check", "rebuild"]),
        ("backup", &["DIR", "Example"]),
        ("restore", &["DIR", "Example"]),
        ("config", &["--defaults"]),
    ] {
        let help = run(&mut cloakroom(&[command, "--help"])).output();
        assert!(words.iter().all(|word| help.contains(word)), "{help}");
    }
    assert_eq!(run(&mut cloakroom(&["--version"])).output(), concat!("cloakroom ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn schema_prints_schema_graphql() {
    assert_eq!(run(&mut cloakroom(&["schema"])).output(), include_str!("../../../schema.graphql"));
}

#[test]
fn defaults_print_the_manual_which_documents_every_setting_in_force() {
    let manual = run(&mut cloakroom(&["config", "--defaults"])).output();
    assert_eq!(manual.trim_end(), DEFAULTS.trim_end());
    let force = in_force(run(&mut cloakroom(&["config"])));
    let names = |settings: &BTreeMap<String, String>| settings.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&force), names(&settings(&manual)));
    assert!(force.len() > 30);

    // A comment stands above each setting, or above the group or the section that it stands in.
    let mut documented = false;
    for line in manual.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(documented, "{line} has no comment above it");
        } else if !line.starts_with('[') {
            documented = line.starts_with("# ");
        }
    }
}

#[tokio::test]
async fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let place = Place::create().await;
    let listen = |command: &mut std::process::Command| in_force(run(command))["server.listen"].clone();
    assert_eq!(listen(&mut cloakroom(&["config"])), "\"127.0.0.1:8000\"");
    let file = place.file("settings.toml", "[server]\nlisten = \"127.0.0.1:1\"\nmax_connections = 7\n");
    let with_file = ["config", "--config", &file];
    assert_eq!(listen(&mut cloakroom(&with_file)), "\"127.0.0.1:1\"");
    let variable = ("CLOAKROOM__SERVER__LISTEN", "127.0.0.1:2");
    assert_eq!(listen(cloakroom(&with_file).env(variable.0, variable.1)), "\"127.0.0.1:2\"");
    let all = ["config", "--config", &file, "--listen", "127.0.0.1:3"];
    let mut all = cloakroom(&all);
    all.env(variable.0, variable.1);
    let force = in_force(run(&mut all));
    assert_eq!((force["server.listen"].as_str(), force["server.max_connections"].as_str()), ("\"127.0.0.1:3\"", "7"));
}

#[tokio::test]
async fn lists_and_switches_can_come_from_the_environment() {
    let mut command = cloakroom(&["config"]);
    command.env("CLOAKROOM__HTTP__CORS_ORIGINS", "https://a.example, https://b.example");
    command.env("CLOAKROOM__GRAPHQL__PLAYGROUND", "false").env("CLOAKROOM__LOG__LEVEL", "warn");
    let force = in_force(run(&mut command));
    assert_eq!(force["http.cors_origins"], "[\"https://a.example\",\"https://b.example\"]");
    assert_eq!((force["graphql.playground"].as_str(), force["log.level"].as_str()), ("false", "\"warn\""));
}

#[tokio::test]
async fn an_unknown_setting_is_refused_with_the_nearest_name() {
    let place = Place::create().await;
    let file = place.file("typo.toml", "[server]\nlisen = \"127.0.0.1:1\"\n");
    let said = run(&mut cloakroom(&["config", "--config", &file])).complaint();
    assert!(said.contains("server.lisen") && said.contains("did you mean server.listen?"), "{said}");
    assert!(said.contains("typo.toml"), "{said}");

    let said = run(cloakroom(&["config"]).env("CLOAKROOM__HTTP__MAX_BODY_BITES", "1")).complaint();
    assert!(said.contains("http.max_body_bites") && said.contains("did you mean http.max_body_bytes?"), "{said}");
    assert!(said.contains("environment"), "{said}");

    let said = run(&mut cloakroom(&["config", "--lisen", "127.0.0.1:1"])).complaint();
    assert!(said.contains("--listen"), "{said}");
    let said = run(&mut cloakroom(&["config", "--config", "/no/such/file.toml"])).complaint();
    assert!(said.contains("/no/such/file.toml"), "{said}");
}

#[test]
fn a_value_out_of_its_range_is_refused_by_name_and_limit() {
    for (variable, value, name, limit) in [
        ("ACCOUNTS__PASSWORD_MEMORY_KIB", "1024", "accounts.password_memory_kib", "19456"),
        ("ACCOUNTS__PASSWORD_MEMORY_KIB", "1048577", "accounts.password_memory_kib", "1048576"),
        ("ACCOUNTS__PASSWORD_PASSES", "1", "accounts.password_passes", "2"),
        ("ACCOUNTS__ACCESS_TOKEN_SECONDS", "3601", "accounts.access_token_seconds", "3600"),
        ("ACCOUNTS__TOKEN_LEEWAY_SECONDS", "121", "accounts.token_leeway_seconds", "120"),
        ("GRAPHQL__MAX_DEPTH", "0", "graphql.max_depth", "1"),
        ("GRAPHQL__MAX_TOKENS", "20001", "graphql.max_tokens", "20000"),
        ("GRAPHQL__DOCUMENT_CACHE_BYTES", "1073741825", "graphql.document_cache_bytes", "1073741824"),
        ("GRAPHQL__DOCUMENT_CACHE_BYTES", "-1", "graphql.document_cache_bytes", ""),
        ("ACCOUNTS__MAX_SESSIONS", "0", "accounts.max_sessions", "1"),
        ("ACCOUNTS__MAX_SESSIONS", "1001", "accounts.max_sessions", "1000"),
        ("ACCOUNTS__MAX_API_KEYS", "1001", "accounts.max_api_keys", "1000"),
        ("LIMITS__MAX_BUCKETS", "1023", "limits.max_buckets", "1024"),
        ("LIMITS__MAX_BUCKETS", "16777217", "limits.max_buckets", "16777216"),
        ("COUNTERS__MAX_BATCH", "0", "counters.max_batch", "1"),
        ("COUNTERS__MAX_BATCH", "10001", "counters.max_batch", "10000"),
        ("HTTP__MAX_HEADER_BYTES", "8191", "http.max_header_bytes", "8192"),
        ("HTTP__REQUEST_SECONDS", "0", "http.request_seconds", "1"),
        ("DATABASE__ACQUIRE_SECONDS", "0", "database.acquire_seconds", "1"),
        ("DATABASE__ANSWER_SECONDS", "0", "database.answer_seconds", "1"),
        ("SERVER__LISTEN", "nowhere", "server.listen", ""),
        ("SERVER__MAX_CONNECTIONS", "-1", "server.max_connections", ""),
        ("DATABASE__MAX_CONNECTIONS", "many", "database.max_connections", ""),
        ("LOG__LEVEL", "loud", "log.level", "error, warn, info, debug or trace"),
        ("LOG__FORMAT", "xml", "log.format", "text or json"),
    ] {
        let said = run(cloakroom(&["config"]).env(format!("CLOAKROOM__{variable}"), value)).complaint();
        assert!(said.contains(name) && said.contains(limit), "{variable}={value}: {said}");
    }
}

#[test]
fn config_never_prints_the_password_of_the_database() {
    for url in [
        "postgres://me:qzret@db:5432/x",
        "postgres://me:qz%2Fret@db/x?sslmode=require",
        "postgres://db/x?user=me&password=qzret",
    ] {
        let by_flag = run(&mut cloakroom(&["config", "--database", url]));
        let by_environment = run(cloakroom(&["config"]).env("CLOAKROOM__DATABASE__URL", url));
        for said in [by_flag, by_environment] {
            assert!(!format!("{said:?}").contains("qz"), "{said:?}");
            assert!(said.output().contains("****"), "{url}");
        }
    }
}

//! `schema.graphql`: what is published is what is served, is described, and keeps the contract.

use serde_json::Value;

use super::{introspect, list, own_types, text};
use crate::support::TestApp;

const EXPORTED: &str = include_str!("../../../schema.graphql");

#[test]
fn schema_graphql_is_what_the_server_serves() {
    let sdl = cloakroom::schema::sdl();
    let refresh = "schema.graphql is stale; refresh it with: cargo run -- schema > schema.graphql";
    assert_eq!(EXPORTED.trim_end(), sdl.trim_end(), "{refresh}");
    for scalar in ["scalar DateTime @specifiedBy(url: \"", "scalar SafeInt @specifiedBy(url: \""] {
        assert!(EXPORTED.contains(scalar), "{scalar}");
    }
}

#[tokio::test]
async fn the_running_server_has_the_types_and_fields_of_schema_graphql() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let types = own_types(&schema);
    for kind in &types {
        let name = text(kind, "name");
        let keyword = match text(kind, "kind") {
            "SCALAR" => "scalar",
            "ENUM" => "enum",
            "INTERFACE" => "interface",
            "INPUT_OBJECT" => "input",
            _ => "type",
        };
        let heading = format!("\n{keyword} {name} ");
        let (_, after) = EXPORTED.split_once(&heading).unwrap_or_else(|| panic!("{heading} is not in schema.graphql"));
        let body = after.split("\n}\n").next().unwrap_or_default();
        for member in ["fields", "inputFields", "enumValues"].iter().flat_map(|members| list(kind, members)) {
            let name = text(member, "name");
            let line = body.lines().any(|line| line.trim_start().split(['(', ':']).next() == Some(name));
            assert!(line, "{heading}{name} is not in schema.graphql");
        }
    }
    let keywords = ["type ", "scalar ", "enum ", "interface ", "input "];
    let exported = EXPORTED.lines().filter(|line| keywords.iter().any(|keyword| line.starts_with(keyword)));
    assert_eq!(exported.count(), types.len());
}

#[tokio::test]
async fn everything_in_the_schema_is_described() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let (mut described, mut missing) = (0, Vec::new());
    let mut look = |path: String, element: &Value| match text(element, "description").trim() {
        "" => missing.push(path),
        _ => described += 1,
    };
    for kind in own_types(&schema) {
        let name = text(kind, "name");
        look(name.to_owned(), kind);
        for member in ["fields", "inputFields", "enumValues"].iter().flat_map(|members| list(kind, members)) {
            let path = format!("{name}.{}", text(member, "name"));
            for argument in list(member, "args") {
                look(format!("{path}({})", text(argument, "name")), argument);
            }
            look(path, member);
        }
    }
    assert!(missing.is_empty(), "without a description: {missing:#?}");
    assert!(described > 100, "only {described} elements were looked at");
}

#[test]
fn every_error_code_is_described() {
    let (_, after) = EXPORTED.split_once("\nenum ErrorCode {\n").expect("ErrorCode is in schema.graphql");
    let lines: Vec<&str> = after.split("\n}").next().unwrap_or_default().lines().map(str::trim).collect();
    let is_name = |line: &str| line.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let names: Vec<&[&str]> = lines.windows(2).filter(|lines| is_name(lines[1])).collect();
    assert_eq!(names.len(), 14, "{names:?}");
    // A description of several lines ends in a line of its own.
    assert!(names.iter().all(|lines| lines[0].ends_with('"') && lines[0] != "\"\""), "{names:?}");
}

#[tokio::test]
async fn the_contract_is_kept() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let mut served = Vec::new();
    for kind in own_types(&schema) {
        let name = text(kind, "name");
        for field in list(kind, "fields") {
            let arguments: Vec<String> = list(field, "args").map(input).collect();
            let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
            served.push(format!("{name}.{}{arguments}: {}", text(field, "name"), type_name(&field["type"])));
        }
        served.extend(list(kind, "enumValues").map(|value| format!("{name}.{}", text(value, "name"))));
        served.extend(list(kind, "inputFields").map(|field| format!("{name}.{}", input(field))));
        served.extend(list(kind, "interfaces").map(|interface| format!("{name} implements {}", type_name(interface))));
    }
    let missing: Vec<&str> = CONTRACT
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !served.contains(&(*line).to_owned()))
        .collect();
    assert!(missing.is_empty(), "clients rely on these, which are gone or changed: {missing:#?}\nserved: {served:#?}");
}

fn input(value: &Value) -> String {
    let default = value["defaultValue"].as_str().map(|default| format!(" = {default}")).unwrap_or_default();
    format!("{}: {}{default}", text(value, "name"), type_name(&value["type"]))
}

fn type_name(kind: &Value) -> String {
    match text(kind, "kind") {
        "NON_NULL" => format!("{}!", type_name(&kind["ofType"])),
        "LIST" => format!("[{}]", type_name(&kind["ofType"])),
        _ => text(kind, "name").to_owned(),
    }
}

/// What clients rely on: names, types, nullability. Additions are free, changes are not.
const CONTRACT: &str = include_str!("contract.txt");

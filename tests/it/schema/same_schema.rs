//! `schema.graphql` and the introspection of the server are equal, descriptions and defaults included.

use std::collections::BTreeSet;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    ConstDirective, FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Positioned, Value as GraphqlValue};
use serde_json::Value;

use super::{introspect, list, own_types, text};
use crate::support::TestApp;

const EXPORTED: &str = include_str!("../../../schema.graphql");

/// One line for each element of a schema, with everything that is said of it.
type Facts = BTreeSet<String>;

fn fact(path: &str, kind: &str, description: &str, marks: &str) -> String {
    let description = description.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    format!("{path}: {kind}{marks} {description:?}")
}

#[tokio::test]
async fn schema_graphql_and_introspection_are_equal() {
    let test = TestApp::start().await;
    let schema = introspect(&test.anonymous()).await;
    let (published, served) = (published(), served(&schema));
    let missing: Vec<_> = published.symmetric_difference(&served).collect();
    assert!(missing.is_empty(), "only on one side: {missing:#?}");
    assert!(published.len() > 500, "only {} elements were compared", published.len());
}

fn published() -> Facts {
    // The parser knows no description of a schema; `introspection.rs` compares that.
    let (types, definition) = EXPORTED.split_once("\n\"\"\"\nThe API of").expect("the schema is described");
    let (_, definition) = definition.split_once("\"\"\"\n").expect("the end of the description");
    let document = parse_schema(format!("{types}\n{definition}")).expect("schema.graphql is read");
    let mut facts = Facts::new();
    for definition in &document.definitions {
        match definition {
            TypeSystemDefinition::Type(definition) => published_type(&definition.node, &mut facts),
            TypeSystemDefinition::Schema(definition) => {
                let schema = &definition.node;
                let roots =
                    [("query", &schema.query), ("mutation", &schema.mutation), ("subscription", &schema.subscription)];
                facts.extend(roots.iter().filter_map(|(root, name)| Some(format!("{root}: {}", name.as_ref()?.node))));
            }
            TypeSystemDefinition::Directive(_) => {}
        }
    }
    facts
}

fn published_type(definition: &TypeDefinition, facts: &mut Facts) {
    let name = definition.name.node.as_str();
    let kind = match &definition.kind {
        TypeKind::Scalar => "SCALAR",
        TypeKind::Object(object) => {
            facts.extend(object.implements.iter().map(|interface| format!("{name} implements {}", interface.node)));
            object.fields.iter().for_each(|field| published_field(name, &field.node, facts));
            "OBJECT"
        }
        TypeKind::Interface(interface) => {
            interface.fields.iter().for_each(|field| published_field(name, &field.node, facts));
            "INTERFACE"
        }
        TypeKind::Union(_) => "UNION",
        TypeKind::Enum(list) => {
            for value in &list.values {
                let (value, marks) = (&value.node, marks(&value.node.directives));
                let path = format!("{name}.{}", value.value.node);
                facts.insert(fact(&path, "value", said(value.description.as_ref()), &marks));
            }
            "ENUM"
        }
        TypeKind::InputObject(input) => {
            input.fields.iter().for_each(|field| published_input(name, &field.node, facts));
            "INPUT_OBJECT"
        }
    };
    facts.insert(fact(name, kind, said(definition.description.as_ref()), &marks(&definition.directives)));
}

fn published_field(of: &str, field: &FieldDefinition, facts: &mut Facts) {
    let path = format!("{of}.{}", field.name.node);
    field.arguments.iter().for_each(|argument| published_input(&path, &argument.node, facts));
    facts.insert(fact(&path, &field.ty.node.to_string(), said(field.description.as_ref()), &marks(&field.directives)));
}

fn published_input(of: &str, input: &InputValueDefinition, facts: &mut Facts) {
    let default = input.default_value.as_ref().map(|value| format!(" = {}", value.node)).unwrap_or_default();
    let kind = format!("{}{default}", input.ty.node);
    let path = format!("{of}.{}", input.name.node);
    facts.insert(fact(&path, &kind, said(input.description.as_ref()), &marks(&input.directives)));
}

fn said(description: Option<&Positioned<String>>) -> &str {
    description.map_or("", |description| description.node.as_str())
}

fn marks(directives: &[Positioned<ConstDirective>]) -> String {
    let mark = |directive: &Positioned<ConstDirective>| {
        let directive = &directive.node;
        let values = directive.arguments.iter().map(|(_, value)| match &value.node {
            GraphqlValue::String(text) => text.clone(),
            other => other.to_string(),
        });
        format!(" @{} {}", directive.name.node, values.collect::<Vec<_>>().join(" "))
    };
    directives.iter().map(mark).collect()
}

fn served(schema: &Value) -> Facts {
    let roots = [("query", "queryType"), ("mutation", "mutationType"), ("subscription", "subscriptionType")];
    let mut facts: Facts = roots.map(|(root, key)| format!("{root}: {}", text(&schema[key], "name"))).into();
    for kind in own_types(schema) {
        let name = text(kind, "name");
        facts
            .extend(list(kind, "interfaces").map(|interface| format!("{name} implements {}", text(interface, "name"))));
        for field in list(kind, "fields") {
            let path = format!("{name}.{}", text(field, "name"));
            list(field, "args").for_each(|argument| served_input(&path, argument, &mut facts));
            facts.insert(fact(&path, &type_name(&field["type"]), text(field, "description"), &deprecated(field)));
        }
        list(kind, "inputFields").for_each(|field| served_input(name, field, &mut facts));
        for value in list(kind, "enumValues") {
            let path = format!("{name}.{}", text(value, "name"));
            facts.insert(fact(&path, "value", text(value, "description"), &deprecated(value)));
        }
        let mut marks = String::new();
        if kind["isOneOf"] == true {
            marks += " @oneOf ";
        }
        if let Some(url) = kind["specifiedByURL"].as_str() {
            marks += &format!(" @specifiedBy {url}");
        }
        facts.insert(fact(name, text(kind, "kind"), text(kind, "description"), &marks));
    }
    facts
}

fn served_input(of: &str, input: &Value, facts: &mut Facts) {
    let default = input["defaultValue"].as_str().map(|value| format!(" = {value}")).unwrap_or_default();
    let kind = format!("{}{default}", type_name(&input["type"]));
    let path = format!("{of}.{}", text(input, "name"));
    facts.insert(fact(&path, &kind, text(input, "description"), &deprecated(input)));
}

fn deprecated(element: &Value) -> String {
    match element["isDeprecated"] == true {
        true => format!(" @deprecated {}", text(element, "deprecationReason")),
        false => String::new(),
    }
}

fn type_name(kind: &Value) -> String {
    match text(kind, "kind") {
        "NON_NULL" => format!("{}!", type_name(&kind["ofType"])),
        "LIST" => format!("[{}]", type_name(&kind["ofType"])),
        _ => text(kind, "name").to_owned(),
    }
}

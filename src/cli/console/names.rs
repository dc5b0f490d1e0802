//! The names in the schema, read from its own SDL.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, ServiceDocument, Type as Reference, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::{Name, Positioned};

/// What every schema has without saying so.
const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];

/// Fields or arguments by their name.
pub(super) type Fields = BTreeMap<String, Field>;

/// A schema's types by their name.
pub(super) struct Names {
    pub(super) types: BTreeMap<String, Type>,
}

/// A type.
pub(super) struct Type {
    /// `type`, `interface`, `union`, `enum`, `input` or `scalar`.
    pub(super) kind: &'static str,
    /// What can be selected, or given.
    pub(super) fields: Fields,
    /// What an enum can be.
    pub(super) values: Vec<String>,
    /// The objects that it can stand for; of an object, itself.
    pub(super) possible: BTreeSet<String>,
    /// The first line of its description.
    pub(super) summary: String,
    /// Its definition.
    pub(super) sdl: String,
}

/// A field, argument or field of an input.
pub(super) struct Field {
    /// The name of its type, without lists and exclamation marks.
    pub(super) of: String,
    /// What it takes.
    pub(super) arguments: Fields,
}

impl Names {
    /// Reads a schema.
    pub(super) fn read(sdl: &str) -> anyhow::Result<Self> {
        let document = parse_schema(sdl).context("the schema cannot be read")?;
        let mut types: BTreeMap<String, Type> =
            BUILT_IN.iter().map(|name| ((*name).to_owned(), Type::built_in(name))).collect();
        let definitions = sources(sdl, &document);
        for (definition, source) in document.definitions.iter().zip(definitions) {
            if let TypeSystemDefinition::Type(definition) = definition {
                types.insert(definition.node.name.node.to_string(), Type::read(&definition.node, source));
            }
        }
        for (interface, object) in implementations(&document) {
            if let Some(interface) = types.get_mut(interface.as_str()) {
                interface.possible.insert(object.to_string());
            }
        }
        Ok(Self { types })
    }

    /// The type of an operation: its name is GraphQL's own, which the schema does not change.
    pub(super) fn root(&self, operation: &str) -> Option<&Type> {
        match operation {
            "query" => self.types.get("Query"),
            "mutation" => self.types.get("Mutation"),
            "subscription" => self.types.get("Subscription"),
            _ => None,
        }
    }

    /// The type that a field, argument or field of an input has.
    pub(super) fn of(&self, field: &Field) -> Option<&Type> {
        self.types.get(&field.of)
    }

    /// Whether a secret can be given to a field of this name.
    pub(super) fn takes_secret(&self, field: &str) -> bool {
        let mut waiting: Vec<&Fields> =
            self.types.values().filter_map(|of| Some(&of.fields.get(field)?.arguments)).collect();
        let mut seen = BTreeSet::new();
        while let Some(fields) = waiting.pop() {
            if fields.keys().any(|name| is_secret(name)) {
                return true;
            }
            let inputs = fields.values().filter(|field| seen.insert(field.of.as_str()));
            waiting.extend(inputs.filter_map(|field| Some(&self.of(field)?.fields)));
        }
        false
    }
}

/// Whether what bears this name is a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "token", "secret"].iter().any(|word| name.contains(word))
}

impl Type {
    fn built_in(name: &str) -> Self {
        Self {
            kind: "scalar",
            fields: Fields::new(),
            values: if name == "Boolean" { vec!["false".to_owned(), "true".to_owned()] } else { Vec::new() },
            possible: BTreeSet::new(),
            summary: "Built in.".to_owned(),
            sdl: format!("scalar {name}"),
        }
    }

    fn read(definition: &TypeDefinition, source: &str) -> Self {
        let description = definition.description.as_ref().map_or("", |description| description.node.trim());
        let (mut fields, mut values, mut possible) = (Fields::new(), Vec::new(), BTreeSet::new());
        let kind = match &definition.kind {
            TypeKind::Scalar => "scalar",
            TypeKind::Object(object) => {
                possible.insert(definition.name.node.to_string());
                fields = selectable(&object.fields);
                "type"
            }
            TypeKind::Interface(interface) => {
                fields = selectable(&interface.fields);
                "interface"
            }
            TypeKind::Union(union) => {
                possible = union.members.iter().map(|member| member.node.to_string()).collect();
                "union"
            }
            TypeKind::Enum(list) => {
                values = list.values.iter().map(|value| value.node.value.node.to_string()).collect();
                "enum"
            }
            TypeKind::InputObject(input) => {
                fields = givable(&input.fields);
                "input"
            }
        };
        let summary = description.lines().next().unwrap_or_default().to_owned();
        Self { kind, fields, values, possible, summary, sdl: source.trim().to_owned() }
    }

    /// Whether fields can be selected on it.
    pub(super) fn is_selectable(&self) -> bool {
        !self.possible.is_empty()
    }

    /// Whether a variable can have it.
    pub(super) fn is_givable(&self) -> bool {
        ["scalar", "enum", "input"].contains(&self.kind)
    }
}

fn selectable(fields: &[Positioned<FieldDefinition>]) -> Fields {
    let read = |field: &FieldDefinition| Field { of: named(&field.ty.node), arguments: givable(&field.arguments) };
    fields.iter().map(|field| (field.node.name.node.to_string(), read(&field.node))).collect()
}

fn givable(fields: &[Positioned<InputValueDefinition>]) -> Fields {
    let read = |field: &InputValueDefinition| Field { of: named(&field.ty.node), arguments: Fields::new() };
    fields.iter().map(|field| (field.node.name.node.to_string(), read(&field.node))).collect()
}

fn named(mut of: &Reference) -> String {
    loop {
        match &of.base {
            BaseType::Named(name) => return name.to_string(),
            BaseType::List(inner) => of = inner,
        }
    }
}

/// Each interface with each object that implements it.
fn implementations(document: &ServiceDocument) -> Vec<(Name, Name)> {
    let mut found = Vec::new();
    for definition in &document.definitions {
        if let TypeSystemDefinition::Type(definition) = definition
            && let TypeKind::Object(object) = &definition.node.kind
        {
            let name = &definition.node.name.node;
            found.extend(object.implements.iter().map(|interface| (interface.node.clone(), name.clone())));
        }
    }
    found
}

/// The text of each definition: from where it begins to where the next one does.
fn sources<'s>(sdl: &'s str, document: &ServiceDocument) -> Vec<&'s str> {
    let lines: Vec<usize> = std::iter::once(0).chain(sdl.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let first_line = |definition: &TypeSystemDefinition| match definition {
        TypeSystemDefinition::Schema(definition) => definition.pos.line,
        TypeSystemDefinition::Type(definition) => definition.pos.line,
        TypeSystemDefinition::Directive(definition) => definition.pos.line,
    };
    let start = |definition| lines.get(first_line(definition).saturating_sub(1)).copied().unwrap_or(sdl.len());
    let starts: Vec<usize> = document.definitions.iter().map(start).collect();
    let ends = starts.iter().skip(1).copied().chain([sdl.len()]);
    starts.iter().zip(ends).map(|(start, end)| sdl.get(*start..end).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_this_server_is_read_whole() {
        let sdl = crate::schema::types_sdl();
        let names = Names::read(&sdl).expect("it is read");
        assert!(names.root("query").expect("queries").fields.contains_key("viewer"));
        let node = &names.types["Node"];
        assert!(node.is_selectable() && node.possible.contains("User") && node.fields.contains_key("id"));
        let scope = &names.types["LogoutScope"];
        assert!(scope.values.contains(&"ALL_SESSIONS".to_owned()) && scope.is_givable());
        assert!(scope.sdl.starts_with("\"What a logout ends.\"\nenum LogoutScope {") && scope.sdl.ends_with('}'));
        for (name, of) in names.types.iter().filter(|(name, _)| !BUILT_IN.contains(&name.as_str())) {
            let definitions = ["type", "interface", "union", "enum", "input", "scalar"];
            let count = of.sdl.lines().filter(|line| definitions.contains(&line.split(' ').next().unwrap_or("")));
            assert_eq!(count.count(), 1, "{name}: {}", of.sdl);
            assert!(of.sdl.contains(&format!("{} {name}", of.kind)), "{name}: {}", of.sdl);
        }
    }

    #[test]
    fn it_is_known_which_fields_take_secrets() {
        let names = Names::read(&crate::schema::types_sdl()).expect("it is read");
        for (field, takes) in [("login", true), ("signUp", true), ("logout", true), ("next", false), ("user", false)] {
            assert_eq!(names.takes_secret(field), takes, "{field}");
        }
    }
}

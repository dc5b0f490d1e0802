//! The types of a schema, as far as documents are checked against them.

use std::collections::{HashMap, HashSet};

use async_graphql_parser::types::{
    BaseType, DirectiveDefinition, DirectiveLocation, FieldDefinition, InputValueDefinition, OperationType,
    ServiceDocument, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};
use async_graphql_parser::{Positioned, parse_schema};
use async_graphql_value::indexmap::IndexMap;
use async_graphql_value::{ConstValue, Name};

use crate::syntax::repeatable_directives;

/// The introspection types, and what every schema has (GraphQL, sections 3.5, 3.13 and 4.2).
const BUILT_IN: &str = include_str!("built_in.graphql");

/// The rule of a custom scalar: the value as it is executed, or what is wrong with it.
pub type ScalarRule = fn(ConstValue) -> Result<ConstValue, String>;

/// A schema that does not parse, or lacks a root type.
#[derive(Debug)]
pub struct InvalidSchema(pub String);

/// The types and directives of a schema.
pub struct TypeSystem {
    pub(crate) types: HashMap<Name, NamedType>,
    pub(crate) directives: HashMap<Name, DirectiveRule>,
    pub(crate) scalar_rules: HashMap<&'static str, ScalarRule>,
    query: Name,
    mutation: Option<Name>,
    subscription: Option<Name>,
    typename: FieldRule,
    schema: FieldRule,
    type_by_name: FieldRule,
}

/// A type.
pub(crate) struct NamedType {
    pub(crate) name: Name,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Scalar,
    Enum(HashSet<Name>),
    Composite(Composite),
    Input(InputObject),
}

/// An object, an interface or a union.
#[derive(Default)]
pub(crate) struct Composite {
    pub(crate) is_object: bool,
    pub(crate) fields: HashMap<Name, FieldRule>,
    /// The object types that a value may have.
    pub(crate) possible: HashSet<Name>,
}

pub(crate) struct InputObject {
    pub(crate) fields: IndexMap<Name, InputRule>,
    pub(crate) is_one_of: bool,
}

pub(crate) struct FieldRule {
    pub(crate) ty: Type,
    pub(crate) arguments: IndexMap<Name, InputRule>,
}

/// An argument or an input field.
pub(crate) struct InputRule {
    pub(crate) ty: Type,
    pub(crate) default: Option<ConstValue>,
}

impl InputRule {
    pub(crate) fn is_required(&self) -> bool {
        !self.ty.nullable && self.default.is_none()
    }
}

pub(crate) struct DirectiveRule {
    pub(crate) arguments: IndexMap<Name, InputRule>,
    pub(crate) locations: Vec<DirectiveLocation>,
    pub(crate) is_repeatable: bool,
}

impl NamedType {
    pub(crate) fn is_input(&self) -> bool {
        !matches!(self.kind, Kind::Composite(_))
    }

    pub(crate) fn composite(&self) -> Option<&Composite> {
        match &self.kind {
            Kind::Composite(composite) => Some(composite),
            _ => None,
        }
    }
}

impl TypeSystem {
    /// The types of a schema in GraphQL's own language. Custom scalars accept every value, unless
    /// they have one of these rules.
    ///
    /// # Errors
    /// [`InvalidSchema`] if it does not parse.
    pub fn new(sdl: &str, scalar_rules: &[(&'static str, ScalarRule)]) -> Result<Self, InvalidSchema> {
        let read = |text| parse_schema(text).map_err(|error| InvalidSchema(error.to_string()));
        let mut reading = Reading::default();
        for text in [BUILT_IN, sdl] {
            let repeatable = repeatable_directives(text).map_err(|fault| InvalidSchema(fault.message))?;
            reading.add(read(text)?, &repeatable);
        }
        reading.finish(scalar_rules.iter().copied().collect())
    }

    pub(crate) fn root(&self, operation: OperationType) -> Option<&NamedType> {
        let name = match operation {
            OperationType::Query => Some(&self.query),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        };
        self.types.get(name?)
    }

    /// The field of a type, `__typename` and the introspection of the root included.
    pub(crate) fn field<'s>(&'s self, parent: &'s NamedType, name: &str) -> Option<&'s FieldRule> {
        let composite = parent.composite()?;
        match name {
            "__typename" => Some(&self.typename),
            "__schema" if parent.name == self.query => Some(&self.schema),
            "__type" if parent.name == self.query => Some(&self.type_by_name),
            _ => composite.fields.get(name),
        }
    }

    /// The named type within lists and non-null.
    pub(crate) fn named(&self, ty: &Type) -> Option<&NamedType> {
        self.types.get(inner_name(ty))
    }
}

/// The name within lists and non-null.
pub(crate) fn inner_name(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(item) => inner_name(item),
    }
}

/// Definitions while they are read.
#[derive(Default)]
struct Reading {
    types: HashMap<Name, NamedType>,
    directives: HashMap<Name, DirectiveRule>,
    implementations: Vec<(Name, Name)>,
    roots: [Option<Name>; 3],
}

impl Reading {
    fn add(&mut self, document: ServiceDocument, repeatable: &HashSet<Name>) {
        for definition in document.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    let schema = schema.node;
                    self.roots = [schema.query, schema.mutation, schema.subscription].map(|root| Some(root?.node));
                }
                TypeSystemDefinition::Type(definition) => self.add_type(definition.node),
                TypeSystemDefinition::Directive(directive) => {
                    let DirectiveDefinition { name, arguments, locations, .. } = directive.node;
                    let locations = locations.into_iter().map(|location| location.node).collect();
                    let is_repeatable = repeatable.contains(&name.node);
                    let rule = DirectiveRule { arguments: inputs(arguments), locations, is_repeatable };
                    self.directives.insert(name.node, rule);
                }
            }
        }
    }

    fn add_type(&mut self, definition: TypeDefinition) {
        let name = definition.name.node;
        let kind = match definition.kind {
            TypeKind::Scalar => Kind::Scalar,
            TypeKind::Enum(values) => {
                Kind::Enum(values.values.into_iter().map(|value| value.node.value.node).collect())
            }
            TypeKind::Object(object) => {
                let interfaces = object.implements.into_iter().map(|interface| (interface.node, name.clone()));
                self.implementations.extend(interfaces);
                let possible = HashSet::from([name.clone()]);
                Kind::Composite(Composite { is_object: true, fields: fields(object.fields), possible })
            }
            TypeKind::Interface(interface) => {
                Kind::Composite(Composite { fields: fields(interface.fields), ..Composite::default() })
            }
            TypeKind::Union(union) => {
                let possible = union.members.into_iter().map(|member| member.node).collect();
                Kind::Composite(Composite { possible, ..Composite::default() })
            }
            TypeKind::InputObject(input) => {
                let is_one_of = definition.directives.iter().any(|directive| directive.node.name.node == "oneOf");
                Kind::Input(InputObject { fields: inputs(input.fields), is_one_of })
            }
        };
        self.types.insert(name.clone(), NamedType { name, kind });
    }

    fn finish(mut self, scalar_rules: HashMap<&'static str, ScalarRule>) -> Result<TypeSystem, InvalidSchema> {
        for (interface, object) in self.implementations {
            if let Some(NamedType { kind: Kind::Composite(composite), .. }) = self.types.get_mut(&interface) {
                composite.possible.insert(object);
            }
        }
        let [query, mutation, subscription] = self.roots;
        let known = |name: &str| self.types.contains_key(name).then(|| Name::new(name));
        let query = query.or_else(|| known("Query"));
        let meta = |ty: &str, arguments: &[(&str, &str)]| {
            let input =
                |(name, ty): &(&str, &str)| Some((Name::new(name), InputRule { ty: Type::new(ty)?, default: None }));
            Some(FieldRule { ty: Type::new(ty)?, arguments: arguments.iter().filter_map(input).collect() })
        };
        let missing = || InvalidSchema("There is no query type.".to_owned());
        Ok(TypeSystem {
            query: query.ok_or_else(missing)?,
            mutation: mutation.or_else(|| known("Mutation")),
            subscription: subscription.or_else(|| known("Subscription")),
            typename: meta("String!", &[]).ok_or_else(missing)?,
            schema: meta("__Schema!", &[]).ok_or_else(missing)?,
            type_by_name: meta("__Type", &[("name", "String!")]).ok_or_else(missing)?,
            types: self.types,
            directives: self.directives,
            scalar_rules,
        })
    }
}

fn fields(definitions: Vec<Positioned<FieldDefinition>>) -> HashMap<Name, FieldRule> {
    let rule = |field: FieldDefinition| FieldRule { ty: field.ty.node, arguments: inputs(field.arguments) };
    definitions.into_iter().map(|field| (field.node.name.node.clone(), rule(field.node))).collect()
}

fn inputs(definitions: Vec<Positioned<InputValueDefinition>>) -> IndexMap<Name, InputRule> {
    let rule = |input: InputValueDefinition| {
        (input.name.node, InputRule { ty: input.ty.node, default: input.default_value.map(|value| value.node) })
    };
    definitions.into_iter().map(|input| rule(input.node)).collect()
}

//! Execution of root fields, to the letter of the GraphQL specification.
//!
//! A resolver returns `Option<Result<T, Error>>`, and async-graphql turns its error into null at that
//! field. In two cases async-graphql itself discards the result of a field that has taken effect:
//!
//! * It coerces arguments before it calls the resolver, so the error of an argument bypasses the
//!   `Option` and nulls `data`. Here it nulls the field (section 6.4.4).
//! * It runs a field once for each selection of its response key (often in several fragments), and
//!   keeps one result. Here the selections are merged and the field runs once (section 6.3.2).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::OnceLock;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{ContainerType, resolve_container};
use async_graphql::{Context, ContextSelectionSet, Name, ObjectType, OutputType, Positioned, ServerResult, Value};
use tokio::sync::OnceCell;

/// A root type. Each of its nullable fields catches its own errors, and each response key runs once.
#[derive(Default)]
pub(super) struct Root<T>(T);

impl<T: ObjectType> Root<T> {
    async fn resolve_once(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        match self.0.resolve_field(ctx).await {
            Err(error) if is_nullable::<T>(ctx) => {
                ctx.add_error(error);
                Ok(Some(Value::Null))
            }
            result => result,
        }
    }
}

fn is_nullable<T: ObjectType>(ctx: &Context<'_>) -> bool {
    let root = ctx.schema_env.registry.types.get(&*T::type_name());
    let field = root.and_then(|root| root.field_by_name(&ctx.item.node.name.node));
    field.is_some_and(|field| !field.ty.ends_with('!'))
}

impl<T: ObjectType> ContainerType for Root<T> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let Some(repeated) = ctx.data_opt::<RepeatedFields>().and_then(|fields| fields.find(ctx)) else {
            return self.resolve_once(ctx).await;
        };
        let mut merged = ctx.clone();
        merged.item = &repeated.merged;
        let mut result = None;
        let run = async {
            result = self.resolve_once(&merged).await?;
            ServerResult::Ok(result.as_ref().map(outline))
        };
        let outline = repeated.outline.get_or_try_init(|| run).await?.clone();
        Ok(result.or(outline))
    }
}

impl<T: ObjectType> OutputType for Root<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _field: &Positioned<Field>) -> ServerResult<Value> {
        resolve_container(ctx, self).await
    }
}

impl<T: ObjectType> ObjectType for Root<T> {}

/// The root fields whose response key a request selects more than once. Part of the request's data.
#[derive(Default)]
pub(super) struct RepeatedFields(OnceLock<HashMap<Name, RepeatedField>>);

struct RepeatedField {
    /// The first of the fields, with the selections of all of them. Validation guarantees that their
    /// names and arguments are equal.
    merged: Positioned<Field>,
    /// The value of every selection but the one that ran the field.
    outline: OnceCell<Option<Value>>,
}

impl RepeatedFields {
    fn find(&self, ctx: &Context<'_>) -> Option<&RepeatedField> {
        self.0.get_or_init(|| repeated_fields(ctx)).get(&ctx.item.node.response_key().node)
    }
}

fn repeated_fields(ctx: &Context<'_>) -> HashMap<Name, RepeatedField> {
    let root = &ctx.query_env.operation.node.selection_set.node;
    if let [Positioned { node: Selection::Field(_), .. }] = &*root.items {
        return HashMap::new();
    }
    let mut fields: HashMap<&Name, Vec<&Positioned<Field>>> = HashMap::new();
    collect(ctx, root, &mut fields);
    fields.into_iter().filter_map(|(key, fields)| Some((key.clone(), merge(&fields)?))).collect()
}

/// Groups root fields by response key. `limits` has bounded the document and refused cycles.
fn collect<'c>(
    ctx: &Context<'c>,
    selections: &'c SelectionSet,
    fields: &mut HashMap<&'c Name, Vec<&'c Positioned<Field>>>,
) {
    for selection in &selections.items {
        match &selection.node {
            Selection::Field(field) => fields.entry(&field.node.response_key().node).or_default().push(field),
            Selection::InlineFragment(fragment) => collect(ctx, &fragment.node.selection_set.node, fields),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = ctx.query_env.fragments.get(&spread.node.fragment_name.node) {
                    collect(ctx, &fragment.node.selection_set.node, fields);
                }
            }
        }
    }
}

fn merge(fields: &[&Positioned<Field>]) -> Option<RepeatedField> {
    let [first, others @ ..] = fields else { return None };
    if others.is_empty() {
        return None;
    }
    let mut merged = Positioned::clone(first);
    let items = &mut merged.node.selection_set.node.items;
    items.extend(others.iter().flat_map(|field| &field.node.selection_set.node.items).cloned());
    Some(RepeatedField { merged, outline: OnceCell::new() })
}

/// Returns a value that adds nothing to `value` when async-graphql merges the two, in either order.
///
/// A copy of `value` for each selection would do as well, but takes memory in proportion to the
/// number of selections times the size of the value.
fn outline(value: &Value) -> Value {
    match value {
        Value::Object(_) => Value::Object(IndexMap::new()),
        Value::List(items) => Value::List(items.iter().map(outline).collect()),
        scalar => scalar.clone(),
    }
}

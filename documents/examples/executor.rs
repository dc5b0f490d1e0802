//! Executes documents over a schema whose results are computed from their own paths, for a comparison with another
//! implementation: `npm run execution --prefix tests/audits`.
//!
//! `executor --schema` prints the schema. Otherwise each line of the input is a request
//! (`{"query", "variables", "operationName"}`), and gets a line with its response.
//!
//! The result of a field is decided by a number, which is a hash of the parent's number, the field's name and its
//! arguments: a nullable field is null for one number in ten and fails for one in ten, and a required one fails for one
//! in twenty.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program of the test suite ends where it cannot go on")]

use std::io::{BufRead as _, Write as _, stdin, stdout};

use async_graphql::parser::types::DocumentOperations;
use async_graphql::{
    EmptySubscription, Enum, Error, ID, InputObject, Interface, MaybeUndefined, Object, OneofObject, Request, Response,
    Schema, ServerError, Union, ValidationMode, Variables,
};
use documents::{Fault, Suggestions, TypeSystem};
use serde::Deserialize;
use tokio::task::yield_now;

/// A value of the schema that a number decides.
trait Mocked: Sized {
    fn mock(number: u32) -> Self;
}

impl Mocked for i32 {
    fn mock(number: u32) -> Self {
        i32::try_from(number % 1000).expect("it is below 1000")
    }
}

impl Mocked for f64 {
    fn mock(number: u32) -> Self {
        f64::from(number % 1000) / 2.0
    }
}

impl Mocked for bool {
    fn mock(number: u32) -> Self {
        number % 2 == 1
    }
}

impl Mocked for String {
    fn mock(number: u32) -> Self {
        format!("text {number}")
    }
}

impl Mocked for ID {
    fn mock(number: u32) -> Self {
        ID(number.to_string())
    }
}

/// A field or an element that must not be null.
impl<T: Mocked> Mocked for Result<T, Error> {
    fn mock(number: u32) -> Self {
        if number.is_multiple_of(20) { Err(failure(number)) } else { Ok(T::mock(number)) }
    }
}

/// A field or an element that may be null.
impl<T: Mocked> Mocked for Option<Result<T, Error>> {
    fn mock(number: u32) -> Self {
        match number % 10 {
            0 => None,
            1 => Some(Err(failure(number))),
            _ => Some(Ok(T::mock(number))),
        }
    }
}

impl<T: Mocked> Mocked for Vec<T> {
    fn mock(number: u32) -> Self {
        (0..number % 4).map(|place| T::mock(hash(&format!("{number}[{place}]")))).collect()
    }
}

fn failure(number: u32) -> Error {
    Error::new(format!("failure {number}"))
}

/// FNV-1a of 32 bits, with the bits mixed once more.
fn hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    mixed ^ (mixed >> 12)
}

/// An argument as text, in which what is absent differs from what is null.
trait Shown: Sync {
    fn show(&self) -> String;
}

impl Shown for i32 {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Shown for f64 {
    fn show(&self) -> String {
        format!("{:016x}", self.to_bits())
    }
}

impl Shown for String {
    fn show(&self) -> String {
        format!("<{self}>")
    }
}

impl Shown for ID {
    fn show(&self) -> String {
        format!("<{}>", self.0)
    }
}

impl<T: Shown> Shown for Option<T> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), Shown::show)
    }
}

impl<T: Shown> Shown for MaybeUndefined<T> {
    fn show(&self) -> String {
        match self {
            Self::Undefined => "absent".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Value(value) => value.show(),
        }
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn show(&self) -> String {
        format!("[{}]", self.iter().map(Shown::show).collect::<Vec<_>>().join(","))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum Color {
    Blue,
    Green,
    Red,
}

impl Mocked for Color {
    fn mock(number: u32) -> Self {
        match number % 3 {
            0 => Self::Blue,
            1 => Self::Green,
            _ => Self::Red,
        }
    }
}

impl Shown for Color {
    fn show(&self) -> String {
        let name = match self {
            Self::Blue => "BLUE",
            Self::Green => "GREEN",
            Self::Red => "RED",
        };
        name.to_owned()
    }
}

#[derive(InputObject)]
struct Filter {
    exact: MaybeUndefined<bool>,
    #[graphql(default = 1)]
    least: Option<i32>,
    #[graphql(default = 5)]
    most: i32,
    colors: MaybeUndefined<Vec<Color>>,
    sizes: MaybeUndefined<Vec<Option<f64>>>,
    within: MaybeUndefined<Box<Filter>>,
    choice: MaybeUndefined<Choice>,
}

impl<T: Shown> Shown for Box<T> {
    fn show(&self) -> String {
        (**self).show()
    }
}

impl Shown for Filter {
    fn show(&self) -> String {
        let Self { exact, least, most, colors, sizes, within, choice } = self;
        let fields: [&dyn Shown; 7] = [exact, least, most, colors, sizes, within, choice];
        format!("{{{}}}", fields.map(Shown::show).join(","))
    }
}

#[derive(OneofObject)]
enum Choice {
    Number(i32),
    Name(String),
    Names(Vec<Option<String>>),
}

impl Shown for Choice {
    fn show(&self) -> String {
        match self {
            Self::Number(number) => format!("{{number:{}}}", number.show()),
            Self::Name(name) => format!("{{name:{}}}", name.show()),
            Self::Names(names) => format!("{{names:{}}}", names.show()),
        }
    }
}

/// The result of a field, after a few turns of the other fields.
async fn result<T: Mocked>(parent: u32, name: &str, arguments: &[&dyn Shown]) -> T {
    let shown = arguments.iter().map(|argument| argument.show()).collect::<Vec<_>>().join(",");
    let number = hash(&format!("{parent}.{name}({shown})"));
    for _ in 0..number % 3 {
        yield_now().await;
    }
    T::mock(number)
}

type Required<T> = Result<T, Error>;
type Nullable<T> = Option<Result<T, Error>>;

/// An object with the fields that all of them have, and those of its own.
macro_rules! object {
    ($name:ident { $($own:tt)* }) => {
        struct $name(u32);

        impl Mocked for $name {
            fn mock(number: u32) -> Self {
                Self(number)
            }
        }

        #[Object]
        impl $name {
            async fn id(&self) -> Required<ID> {
                result(self.0, "id", &[]).await
            }

            async fn name(&self) -> Nullable<String> {
                result(self.0, "name", &[]).await
            }

            async fn next(&self) -> Nullable<Node> {
                result(self.0, "next", &[]).await
            }

            async fn friends(&self, #[graphql(default = 2)] first: Option<i32>) -> Nullable<Vec<Nullable<Node>>> {
                result(self.0, "friends", &[&first]).await
            }

            async fn sum(&self, filter: MaybeUndefined<Filter>) -> Nullable<i32> {
                result(self.0, "sum", &[&filter]).await
            }

            $($own)*
        }
    };
}

object!(Book {
    async fn color(&self) -> Nullable<Color> {
        result(self.0, "color", &[]).await
    }

    async fn sequel(&self) -> Required<Book> {
        result(self.0, "sequel", &[]).await
    }

    async fn pages(&self) -> Required<Vec<Required<Page>>> {
        result(self.0, "pages", &[]).await
    }
});

object!(Shelf {
    async fn width(&self) -> Required<f64> {
        result(self.0, "width", &[]).await
    }

    async fn books(&self, colors: MaybeUndefined<Vec<Color>>) -> Nullable<Vec<Required<Book>>> {
        result(self.0, "books", &[&colors]).await
    }

    async fn content(&self) -> Required<Vec<Nullable<Thing>>> {
        result(self.0, "content", &[]).await
    }
});

struct Page(u32);

impl Mocked for Page {
    fn mock(number: u32) -> Self {
        Self(number)
    }
}

#[Object]
impl Page {
    async fn number(&self) -> Required<i32> {
        result(self.0, "number", &[]).await
    }

    async fn is_last(&self) -> Nullable<bool> {
        result(self.0, "isLast", &[]).await
    }

    async fn words(&self, choice: MaybeUndefined<Choice>) -> Nullable<Vec<Required<Vec<Nullable<String>>>>> {
        result(self.0, "words", &[&choice]).await
    }

    async fn of(&self) -> Nullable<Book> {
        result(self.0, "of", &[]).await
    }
}

#[derive(Interface)]
#[graphql(
    field(name = "id", ty = "Required<ID>"),
    field(name = "name", ty = "Nullable<String>"),
    field(name = "next", ty = "Nullable<Node>"),
    field(
        name = "friends",
        ty = "Nullable<Vec<Nullable<Node>>>",
        arg(name = "first", ty = "Option<i32>", default = 2)
    ),
    field(name = "sum", ty = "Nullable<i32>", arg(name = "filter", ty = "MaybeUndefined<Filter>"))
)]
enum Node {
    Book(Book),
    Shelf(Shelf),
}

impl Mocked for Node {
    fn mock(number: u32) -> Self {
        if number.is_multiple_of(2) { Self::Book(Book(number)) } else { Self::Shelf(Shelf(number)) }
    }
}

#[derive(Union)]
enum Thing {
    Book(Book),
    Page(Page),
    Shelf(Shelf),
}

impl Mocked for Thing {
    fn mock(number: u32) -> Self {
        match number % 3 {
            0 => Self::Book(Book(number)),
            1 => Self::Page(Page(number)),
            _ => Self::Shelf(Shelf(number)),
        }
    }
}

struct Query;

#[Object]
impl Query {
    async fn node(&self, id: ID) -> Nullable<Node> {
        result(0, "node", &[&id]).await
    }

    async fn book(&self) -> Nullable<Book> {
        result(0, "book", &[]).await
    }

    async fn shelf(
        &self,
        #[graphql(default_with = "Color::Red")] color: Color,
        filter: MaybeUndefined<Filter>,
    ) -> Nullable<Shelf> {
        result(0, "shelf", &[&color, &filter]).await
    }

    async fn things(&self, #[graphql(default = 3)] first: Option<i32>) -> Nullable<Vec<Nullable<Thing>>> {
        result(0, "things", &[&first]).await
    }

    async fn grid(&self, sizes: MaybeUndefined<Vec<f64>>) -> Nullable<Vec<Nullable<Vec<Required<i32>>>>> {
        result(0, "grid", &[&sizes]).await
    }

    async fn total(&self, choice: MaybeUndefined<Choice>) -> Nullable<f64> {
        result(0, "total", &[&choice]).await
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn add_book(&self, name: String, filter: MaybeUndefined<Filter>) -> Nullable<Book> {
        result(1, "addBook", &[&name, &filter]).await
    }

    async fn remove(&self, ids: Vec<ID>, #[graphql(default)] is_forced: bool) -> Nullable<Vec<Required<ID>>> {
        result(1, "remove", &[&ids, &is_forced]).await
    }
}

/// What a line of the input asks for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    query: String,
    #[serde(default)]
    variables: Variables,
    operation_name: Option<String>,
}

/// The document and the values of its variables, as the executor takes them.
fn prepare(types: &TypeSystem, line: Line) -> Result<Request, Vec<Fault>> {
    let parsed = documents::parse(&line.query).map_err(|fault| vec![fault])?;
    let valid = types.validate(parsed, Suggestions::Given)?;
    let name = line.operation_name.as_deref();
    let (operation, name) = match &valid.document().operations {
        DocumentOperations::Single(operation) => (Some(operation), None),
        DocumentOperations::Multiple(operations) => (operations.get(name.unwrap_or_default()), name),
    };
    let operation = &operation.expect("the document has the operation").node;
    let variables = types.coerce_variables(&operation.variable_definitions, line.variables)?;
    if let Some(fault) = valid.misplaced_null(name, &variables) {
        return Err(vec![fault]);
    }
    let document = valid.for_execution(types, name, operation, &variables);
    let mut request = Request::new("").variables(variables);
    request.operation_name = name.map(str::to_owned);
    request.set_parsed_query(document);
    Ok(request)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let schema = Schema::build(Query, Mutation, EmptySubscription).validation_mode(ValidationMode::Fast).finish();
    let sdl = schema.sdl();
    if std::env::args().nth(1).as_deref() == Some("--schema") {
        println!("{sdl}");
        return;
    }
    let types = TypeSystem::new(&sdl, &[]).expect("the schema");
    for line in stdin().lock().lines() {
        let line = serde_json::from_str(&line.expect("a line")).expect("a request");
        let response = match prepare(&types, line) {
            Ok(request) => schema.execute(request).await,
            Err(faults) => {
                let errors = faults
                    .into_iter()
                    .map(|Fault { message, locations }| ServerError { locations, ..ServerError::new(message, None) });
                Response::from_errors(errors.collect())
            }
        };
        let mut text = serde_json::to_string(&response).expect("a response");
        text.push('\n');
        stdout().write_all(text.as_bytes()).expect("an output");
    }
}

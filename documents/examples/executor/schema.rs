//! The schema: objects, an interface, a union, lists of lists, and input objects.

use async_graphql::{Enum, Error, ID, InputObject, Interface, MaybeUndefined, Object, OneofObject, Union};
use tokio::task::yield_now;

use crate::mock::{Mocked, hash};
use crate::shown::Shown;

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

pub(crate) struct Query;

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

pub(crate) struct Mutation;

#[Object]
impl Mutation {
    async fn add_book(&self, name: String, filter: MaybeUndefined<Filter>) -> Nullable<Book> {
        result(1, "addBook", &[&name, &filter]).await
    }

    async fn remove(&self, ids: Vec<ID>, #[graphql(default)] is_forced: bool) -> Nullable<Vec<Required<ID>>> {
        result(1, "remove", &[&ids, &is_forced]).await
    }
}

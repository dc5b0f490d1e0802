//! Arguments as text.

use async_graphql::{ID, MaybeUndefined};

/// An argument as text, in which what is absent differs from what is null.
pub(crate) trait Shown: Sync {
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

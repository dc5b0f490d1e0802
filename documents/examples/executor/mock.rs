//! Results that a number decides.

use async_graphql::{Error, ID};

/// A value of the schema that a number decides.
pub(crate) trait Mocked: Sized {
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
pub(crate) fn hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    mixed ^ (mixed >> 12)
}

//! GraphQL documents, as the September 2025 edition of the specification has them: parsed
//! ([`parse`]), validated ([`TypeSystem::validate`]), and their variables coerced
//! ([`TypeSystem::coerce_variables`]).
//!
//! The result is the syntax tree that async-graphql executes, with the fields of one response key merged
//! ([`ValidDocument::for_execution`]). Its own parser and rules are not used:
//! they are those of the June 2018 edition, and several rules never run. Neither of the crates that
//! might take their place is complete. `apollo-compiler` 1.33 refuses descriptions of operations, and
//! knows neither unique input fields nor variables inside lists and objects; `graphql-tools` 0.5 drops
//! the directives of variables and refuses descriptions and surrogate pairs. Both have a syntax tree of
//! their own, which would be built and converted for each document.
//!
//! Messages have the wording of graphql-js.
//!
//! **Invariant:** the time that a document takes is bounded by its length and the number of its fields
//! with fragments written out. A caller that limits both has nothing to fear from a document.

mod fault;
mod merge;
pub mod syntax;
mod type_system;
mod valid;
mod validation;
mod variables;

pub use fault::{Fault, Faults};
pub use syntax::{Parsed, parse};
pub use type_system::{InvalidSchema, ScalarRule, TypeSystem};
pub use valid::ValidDocument;
pub use validation::Suggestions;

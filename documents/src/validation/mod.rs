//! The rules of validation (GraphQL, section 5).
//!
//! Each definition is walked once ([`walk`]), for the rules that need no more than the types there. What
//! a definition uses is noted on the way, so that the rules about variables and fragments look at the
//! notes instead ([`usage`]). Fields that merge ([`overlap`]) are compared last, in valid documents only.

mod arguments;
mod fragments;
mod literal;
mod operation;
mod overlap;
mod usage;
mod walk;

use async_graphql_parser::types::ExecutableDocument;

use crate::valid::Found;
use crate::{Fault, Faults, Parsed, TypeSystem, ValidDocument};
use fragments::Reached;
use walk::Walk;

/// Suggestions of similar names, in messages about a name that does not exist. They would reveal a
/// schema that is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggestions {
    /// "Did you mean".
    Given,
    /// None.
    Withheld,
}

impl TypeSystem {
    /// Checks all operations and fragments of a document.
    ///
    /// # Errors
    /// The first faults, in the order of the text.
    pub fn validate(&self, parsed: Parsed, suggestions: Suggestions) -> Result<ValidDocument, Vec<Fault>> {
        let Parsed { document, mut faults } = parsed;
        let found = self.check(&document, suggestions, &mut faults);
        if faults.is_empty() { Ok(ValidDocument::new(self, document, found)) } else { Err(faults.into_sorted()) }
    }

    fn check(&self, document: &ExecutableDocument, suggestions: Suggestions, faults: &mut Faults) -> Found {
        let mut walk = Walk::new(self, document, suggestions, faults);
        // In the order of the text, so that of many faults always the same are told.
        let mut operations: Vec<_> = document.operations.iter().collect();
        operations.sort_by_key(|(_, operation)| operation.pos);
        let mut fragments: Vec<_> = document.fragments.iter().collect();
        fragments.sort_by_key(|(_, fragment)| fragment.pos);
        let operations: Vec<_> =
            operations.into_iter().map(|operation| (operation, walk.operation(operation.1))).collect();
        let notes = fragments.iter().map(|(name, fragment)| (*name, walk.fragment(name, fragment).deduplicated()));
        let notes = notes.collect();
        let oversized_ids = std::mem::take(&mut walk.oversized_ids);
        fragments::refuse_cycles(&fragments, &notes, faults);
        let (mut reached, mut never_null) = (Reached::default(), Vec::new());
        for (operation, own_notes) in &operations {
            let found = usage::check_variables(self, *operation, own_notes, &notes, &mut reached, faults);
            never_null.extend(found);
        }
        fragments::refuse_unused(&fragments, &reached, faults);
        for ((name, operation), _) in operations {
            operation::check_subscription(document, name, operation, faults);
        }
        if faults.is_empty() {
            overlap::check(self, document, faults);
        }
        Found { never_null, oversized_ids }
    }
}

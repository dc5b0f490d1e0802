//! Documents that were found valid, parsed, within a number of bytes; the least used are evicted.

use std::sync::Arc;

use async_graphql::parser::types::ExecutableDocument;
use documents::ValidDocument;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// Longer texts are rare, and not worth the memory.
const MAX_TEXT_BYTES: usize = 8192;
/// The memory of a parsed document for each of its tokens, at most: a field with one field in it,
/// which is four tokens, takes 1.5 kB. Typical documents take half as much.
const BYTES_PER_TOKEN: u64 = 400;
/// A field with one field in it, by which the memory was measured.
const TOKENS_PER_SELECTION: u64 = 4;
/// The document with which clients ask most often has some 50 tokens.
const TYPICAL_BYTES: u64 = 50 * BYTES_PER_TOKEN;
/// Parts of the cache, each with a lock of its own. The longest document must find room in one of
/// them.
const SHARDS: usize = 4;

/// A valid document.
#[derive(Clone)]
pub(super) struct ParsedDocument {
    pub(super) valid: Arc<ValidDocument>,
    /// An estimate of the memory that the document and its text take.
    pub(super) memory_bytes: u64,
}

impl ParsedDocument {
    pub(super) fn new(valid: ValidDocument, text_bytes: usize, tokens: u32) -> Self {
        // Fragments may be written out, so that there are more selections than in the text.
        let selections = u64::try_from(valid.selections()).unwrap_or(u64::MAX);
        let tokens = u64::from(tokens).max(selections.saturating_mul(TOKENS_PER_SELECTION));
        let memory_bytes = (text_bytes as u64).saturating_add(tokens.saturating_mul(BYTES_PER_TOKEN));
        Self { valid: Arc::new(valid), memory_bytes }
    }

    pub(super) fn document(&self) -> &ExecutableDocument {
        self.valid.document()
    }
}

/// Parsed documents by their text.
pub(super) struct DocumentCache(Cache<Box<str>, ParsedDocument, MemoryEstimate>);

impl DocumentCache {
    pub(super) fn new(max_bytes: u64) -> Self {
        let expected = usize::try_from(max_bytes / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let mut options = OptionsBuilder::new();
        options.shards(SHARDS).estimated_items_capacity(expected.max(1)).weight_capacity(max_bytes);
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self(match options.build() {
            Ok(options) => Cache::with_options(options, MemoryEstimate, hasher, lifecycle),
            // Both capacities are set, so that there is no such case.
            Err(_) => Cache::with(expected.max(1), max_bytes, MemoryEstimate, hasher, lifecycle),
        })
    }

    pub(super) fn get(&self, text: &str) -> Option<ParsedDocument> {
        self.0.get(text)
    }

    /// Keeps a document; returns false if its text is too long for that.
    pub(super) fn insert(&self, text: &str, document: ParsedDocument) -> bool {
        let is_kept = text.len() <= MAX_TEXT_BYTES;
        if is_kept {
            self.0.insert(text.into(), document);
        }
        is_kept
    }
}

/// The part of the cache that a document takes.
#[derive(Clone)]
struct MemoryEstimate;

impl Weighter<Box<str>, ParsedDocument> for MemoryEstimate {
    fn weight(&self, _text: &Box<str>, parsed: &ParsedDocument) -> u64 {
        parsed.memory_bytes
    }
}

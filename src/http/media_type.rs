//! Media types: what the client sends, and which of ours it accepts (GraphQL over HTTP, sections 4 and 6).

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use mime::Mime;

/// The media types of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: 200 for every well-formed request, the default.
    Json,
    /// `application/graphql-response+json`: the status tells how it went.
    GraphqlResponse,
}

impl MediaType {
    /// As the `Content-Type` header has it.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// The one that the `Accept` header prefers (RFC 9110, section 12.5.1); `None` if it accepts neither.
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let mut best = None;
        for value in headers.get_all(ACCEPT) {
            for range in value.to_str().unwrap_or_default().split(',') {
                let Ok(range) = range.trim().parse::<Mime>() else { continue };
                let weight = range.get_param("q").map_or(Some(1.0), |q| q.as_str().parse::<f32>().ok()).unwrap_or(0.0);
                let media_type = match (range.type_().as_str(), range.subtype().as_str(), range.suffix()) {
                    ("application", "graphql-response", Some(suffix)) if suffix == "json" => Self::GraphqlResponse,
                    ("application", "json" | "*", None) | ("*", "*", None) => Self::Json,
                    _ => continue,
                };
                // The first of equals wins.
                if weight > best.map_or(0.0, |(_, weight)| weight) {
                    best = Some((media_type, weight));
                }
            }
        }
        best.map(|(media_type, _)| media_type)
    }
}

/// Whether a body is JSON in UTF-8, sent as it is. Nothing else is read: a page of another site can send
/// other types without asking first, and a compressed body has no honest length.
pub(super) fn is_plain_json(headers: &HeaderMap) -> bool {
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let only = content_types.next().filter(|_| content_types.next().is_none());
    let content_type = only.and_then(|value| value.to_str().ok()?.parse::<Mime>().ok());
    let json = content_type.is_some_and(|mime| {
        mime.essence_str() == "application/json" && mime.get_param("charset").is_none_or(|charset| charset == "utf-8")
    });
    json && headers.get_all(CONTENT_ENCODING).iter().all(|encoding| encoding == "identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_media_type_is_taken() {
        let accepted = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, value.parse().expect("a header value"));
            MediaType::accepted(&headers)
        };
        assert_eq!(MediaType::accepted(&HeaderMap::new()), Some(MediaType::Json));
        assert_eq!(accepted("*/*"), Some(MediaType::Json));
        assert_eq!(accepted("application/*"), Some(MediaType::Json));
        assert_eq!(accepted("text/html, */*;q=0.1"), Some(MediaType::Json));
        assert_eq!(accepted("application/graphql-response+json"), Some(MediaType::GraphqlResponse));
        assert_eq!(
            accepted("application/graphql-response+json,application/json;q=0.9"),
            Some(MediaType::GraphqlResponse)
        );
        assert_eq!(accepted("application/graphql-response+json;q=0.5, application/json"), Some(MediaType::Json));
        assert_eq!(accepted("application/json;q=0"), None);
        assert_eq!(accepted("text/html"), None);
        assert_eq!(accepted("nonsense"), None);
    }
}

//! Media types: what the client sends, and which of ours it accepts (GraphQL over HTTP, sections 4 and 6).

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use mime::{BOUNDARY, Mime};

const FORM: &[u8] = b"multipart/form-data";
/// RFC 2046, section 5.1.1.
const MAX_BOUNDARY_CHARS: usize = 70;

/// The media types of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: 200 for every well-formed request, the default.
    Json,
    /// `application/graphql-response+json`: the status tells how it went.
    GraphqlResponse,
    /// `text/event-stream`: answers one by one, only where it is asked for by its name.
    EventStream,
}

impl MediaType {
    /// As the `Content-Type` header has it.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::EventStream => "text/event-stream",
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
                    ("text", "event-stream", None) => Self::EventStream,
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

/// The media types of a request's body, which are read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// JSON in UTF-8.
    Json,
    /// `multipart/form-data`, a request with files.
    Form {
        /// What separates its parts; `None` where it is missing or none.
        boundary: Option<String>,
    },
}

/// The media type of a body that is sent as it is. Nothing else is read: a page of another site can send
/// other types without asking first, and a compressed body has no honest length.
pub(super) fn sent(headers: &HeaderMap) -> Option<Sent> {
    let mut content_types = headers.get_all(CONTENT_TYPE).iter();
    let only = content_types.next().filter(|_| content_types.next().is_none());
    let mime: Mime = only.and_then(|value| value.to_str().ok()?.parse().ok())?;
    let sent = match mime.essence_str() {
        "application/json" if mime.get_param("charset").is_none_or(|charset| charset == "utf-8") => Sent::Json,
        "multipart/form-data" => {
            let boundary = mime.get_param(BOUNDARY).map(|boundary| boundary.as_str().to_owned());
            Sent::Form { boundary: boundary.filter(|boundary| (1..=MAX_BOUNDARY_CHARS).contains(&boundary.len())) }
        }
        _ => return None,
    };
    headers.get_all(CONTENT_ENCODING).iter().all(|encoding| encoding == "identity").then_some(sent)
}

/// Whether a body comes with files and may take its time: a quick look.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let form = |content_type: &HeaderValue| {
        let essence = content_type.as_bytes().get(..FORM.len());
        essence.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM))
    };
    headers.get(CONTENT_TYPE).is_some_and(form)
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
        assert_eq!(accepted("text/event-stream"), Some(MediaType::EventStream));
        assert_eq!(accepted("text/*, */*;q=0.1"), Some(MediaType::Json));
        assert_eq!(accepted("application/json;q=0"), None);
        assert_eq!(accepted("text/html"), None);
        assert_eq!(accepted("nonsense"), None);
    }

    #[test]
    fn what_is_sent_is_json_or_a_form_with_its_boundary() {
        let seen = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().expect("a header value"));
            (sent(&headers), is_form(&headers))
        };
        let form = |boundary: Option<&str>| (Some(Sent::Form { boundary: boundary.map(str::to_owned) }), true);
        assert_eq!(seen("application/json; charset=UTF-8"), (Some(Sent::Json), false));
        assert_eq!(
            seen("multipart/form-data; boundary=----WebKitFormBoundaryAbC"),
            form(Some("----WebKitFormBoundaryAbC"))
        );
        assert_eq!(seen("Multipart/Form-Data; charset=utf-8; boundary=\"a b:c\""), form(Some("a b:c")));
        assert_eq!(seen(&format!("multipart/form-data; boundary={}", "x".repeat(70))), form(Some(&"x".repeat(70))));
        for bad in ["multipart/form-data", "multipart/form-data; x=boundary"] {
            assert_eq!(seen(bad), form(None), "{bad}");
        }
        // No media type at all, by RFC 2045.
        assert_eq!(seen("multipart/form-data; boundary=\"\""), (None, true));
        assert_eq!(seen(&format!("multipart/form-data; boundary={}", "x".repeat(71))), form(None));
        assert_eq!(seen("multipart/mixed; boundary=x"), (None, false));
        assert_eq!(seen("multipart/form-datum; boundary=x").0, None);
    }
}

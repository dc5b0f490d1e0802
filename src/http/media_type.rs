//! Media types: what the client sends, and which of ours it accepts (GraphQL over HTTP, sections 4 and 6).

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use mime::{BOUNDARY, CHARSET, Mime};

const FORM: &[u8] = b"multipart/form-data";
/// RFC 2046, section 5.1.1.
const MAX_BOUNDARY_CHARS: usize = 70;

/// The media types of a GraphQL response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// A single response.
    Json(JsonType),
    /// `text/event-stream`: a stream of responses, only if `Accept` names it.
    EventStream,
}

/// The media types of a single GraphQL response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonType {
    /// `application/json`: 200 for every well-formed request, the default.
    Legacy,
    /// `application/graphql-response+json`: the status is that of the operation.
    GraphqlResponse,
}

/// The media types that a client accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// The media type of a response; `None` if the client accepts none of them.
    pub(super) response: Option<MediaType>,
    /// The media type of an HTTP error, which is never a stream.
    pub(super) error: JsonType,
}

impl JsonType {
    /// The value of the `Content-Type` header.
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Legacy => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

impl MediaType {
    const JSON: Self = Self::Json(JsonType::Legacy);
    const GRAPHQL_RESPONSE: Self = Self::Json(JsonType::GraphqlResponse);
}

/// Without an `Accept` header.
impl Default for Accepted {
    fn default() -> Self {
        Self { response: Some(MediaType::JSON), error: JsonType::Legacy }
    }
}

impl Accepted {
    /// The media types that the `Accept` header prefers (RFC 9110, section 12.5.1).
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(ACCEPT) {
            return Self::default();
        }
        let media_types = [MediaType::JSON, MediaType::GRAPHQL_RESPONSE, MediaType::EventStream];
        let mut verdicts = media_types.map(|media_type| (media_type, None));
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for (place, range) in values.flat_map(|value| value.split(',')).enumerate() {
            let Some((range, weight)) = weighed(range) else { continue };
            for (media_type, verdict) in &mut verdicts {
                let Some(precision) = media_type.matched_by(&range) else { continue };
                if verdict.is_none_or(|Verdict { precision: p, weight: w, .. }| (precision, weight) > (p, w)) {
                    *verdict = Some(Verdict { precision, weight, place });
                }
            }
        }
        let mut best: Option<(MediaType, Verdict)> = None;
        let mut best_json: Option<(JsonType, Verdict)> = None;
        for (media_type, verdict) in verdicts {
            let Some(verdict) = verdict.filter(|verdict| verdict.weight > 0.0) else { continue };
            if best.is_none_or(|(_, best)| verdict.is_before(best)) {
                best = Some((media_type, verdict));
            }
            if let MediaType::Json(json) = media_type
                && best_json.is_none_or(|(_, best)| verdict.is_before(best))
            {
                best_json = Some((json, verdict));
            }
        }
        let response = best.map(|(media_type, _)| media_type);
        Self { response, error: best_json.map_or(JsonType::Legacy, |(json, _)| json) }
    }
}

impl MediaType {
    /// How precisely this range means it, if it does.
    fn matched_by(self, range: &Mime) -> Option<Precision> {
        match (self, range.type_().as_str(), range.subtype().as_str(), range.suffix()) {
            (Self::JSON, "application", "json", None) | (Self::EventStream, "text", "event-stream", None) => {
                Some(Precision::Name)
            }
            (Self::GRAPHQL_RESPONSE, "application", "graphql-response", Some(suffix)) if suffix == "json" => {
                Some(Precision::Name)
            }
            (Self::Json(_), "application", "*", None) => Some(Precision::Type),
            (Self::Json(_), "*", "*", None) => Some(Precision::Any),
            _ => None,
        }
    }
}

/// How much of a media type a range names.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Precision {
    Any,
    Type,
    Name,
}

/// What the header says of one media type: the most precise range decides, whatever the others weigh.
#[derive(Clone, Copy)]
struct Verdict {
    precision: Precision,
    weight: f32,
    /// Where in the header that range stands.
    place: usize,
}

impl Verdict {
    /// Whether it is preferred: by weight, and between equals by place.
    fn is_before(self, other: Self) -> bool {
        self.weight > other.weight || (self.weight >= other.weight && self.place < other.place)
    }
}

/// A range with its weight, if it is one and that is a number.
fn weighed(range: &str) -> Option<(Mime, f32)> {
    let range: Mime = range.trim().parse().ok()?;
    let weight: f32 = range.get_param("q").map_or(Ok(1.0), |q| q.as_str().parse()).ok()?;
    weight.is_finite().then_some((range, weight.clamp(0.0, 1.0)))
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
        "application/json" if mime.get_param(CHARSET).is_none_or(|charset| is_utf_8(charset.as_str())) => Sent::Json,
        "multipart/form-data" => {
            let boundary = mime.get_param(BOUNDARY).map(|boundary| boundary.as_str().to_owned());
            Sent::Form { boundary: boundary.filter(|boundary| (1..=MAX_BOUNDARY_CHARS).contains(&boundary.len())) }
        }
        _ => return None,
    };
    headers.get_all(CONTENT_ENCODING).iter().all(|encoding| encoding == "identity").then_some(sent)
}

/// UTF-8 by its name, or by the label that the Encoding Standard of the WHATWG has beside it.
fn is_utf_8(charset: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|name| charset.eq_ignore_ascii_case(name))
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
            Accepted::of(&headers).response
        };
        assert_eq!(Accepted::of(&HeaderMap::new()).response, Some(MediaType::JSON));
        assert_eq!(accepted("*/*"), Some(MediaType::JSON));
        assert_eq!(accepted("application/*"), Some(MediaType::JSON));
        assert_eq!(accepted("text/html, */*;q=0.1"), Some(MediaType::JSON));
        assert_eq!(accepted("application/graphql-response+json"), Some(MediaType::GRAPHQL_RESPONSE));
        assert_eq!(
            accepted("application/graphql-response+json,application/json;q=0.9"),
            Some(MediaType::GRAPHQL_RESPONSE)
        );
        assert_eq!(accepted("application/graphql-response+json;q=0.5, application/json"), Some(MediaType::JSON));
        assert_eq!(accepted("text/event-stream"), Some(MediaType::EventStream));
        assert_eq!(accepted("text/*, */*;q=0.1"), Some(MediaType::JSON));
        assert_eq!(accepted("application/json;q=0"), None);
        assert_eq!(accepted("text/html"), None);
        assert_eq!(accepted("nonsense"), None);
    }

    #[test]
    fn the_most_specific_range_decides_for_each_media_type() {
        for (accept, expected) in [
            ("*/*, application/json;q=0", Some(MediaType::GRAPHQL_RESPONSE)),
            ("application/json;q=0, application/graphql-response+json;q=0, */*", None),
            ("application/*;q=0, */*", None),
            ("*/*;q=0, application/json", Some(MediaType::JSON)),
            ("application/json;q=0.5, */*", Some(MediaType::GRAPHQL_RESPONSE)),
            ("*/*, application/graphql-response+json;q=0.9", Some(MediaType::JSON)),
            ("application/*;q=0.5, application/graphql-response+json;q=0.6", Some(MediaType::GRAPHQL_RESPONSE)),
            // Between equals, what stands first; by one range, the default.
            ("application/graphql-response+json, application/json", Some(MediaType::GRAPHQL_RESPONSE)),
            ("application/graphql-response+json, */*", Some(MediaType::GRAPHQL_RESPONSE)),
            ("application/json, application/graphql-response+json, text/event-stream", Some(MediaType::JSON)),
            ("text/event-stream, application/json", Some(MediaType::EventStream)),
            // A stream only by its name.
            ("application/json;q=0, application/graphql-response+json;q=0, text/*, */*", None),
            ("text/event-stream;q=0, */*;q=0.1", Some(MediaType::JSON)),
            ("text/event-stream;q=0.2, */*;q=0.1", Some(MediaType::EventStream)),
            // A weight is from 0 to 1; a range with none that is one is passed over.
            ("application/json;q=7, application/graphql-response+json", Some(MediaType::JSON)),
            ("application/graphql-response+json, application/json;q=7", Some(MediaType::GRAPHQL_RESPONSE)),
            ("application/json;q=-1", None),
            ("application/json;q=inf", None),
            ("application/json;q=NaN", None),
            ("application/json;q=inf, application/graphql-response+json;q=0.1", Some(MediaType::GRAPHQL_RESPONSE)),
            ("application/json;q=NaN, */*;q=0.1", Some(MediaType::JSON)),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Accepted::of(&headers).response, expected, "{accept}");
        }
    }

    #[test]
    fn errors_have_the_preferred_json_type_even_where_a_stream_is_accepted() {
        for (accept, expected) in [
            ("text/event-stream", JsonType::Legacy),
            ("text/event-stream, application/graphql-response+json;q=0.1", JsonType::GraphqlResponse),
            ("text/event-stream, */*;q=0.1", JsonType::Legacy),
            ("application/graphql-response+json, application/json;q=0.9", JsonType::GraphqlResponse),
            ("application/json;q=0, */*", JsonType::GraphqlResponse),
            ("text/html", JsonType::Legacy),
            ("nonsense", JsonType::Legacy),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Accepted::of(&headers).error, expected, "{accept}");
        }
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

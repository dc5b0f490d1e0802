//! Which part of a content a request wants, if any: RFC 9110, sections 13 and 14.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, Method, header};

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// 200.
    Whole,
    /// 206, with these bytes.
    Part(Range<u64>),
    /// 304: the client has it.
    Nothing,
    /// 412: the client wants another.
    Refused,
    /// 416: there is no such part.
    NoSuchPart,
}

/// Weighs the request's conditions against a content with this strong entity tag, quotes included. There is no date
/// to compare with.
pub(super) fn wanted(method: &Method, headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    if headers.contains_key(header::IF_MATCH) && !names(headers, header::IF_MATCH, etag, false) {
        return Wanted::Refused;
    }
    if names(headers, header::IF_NONE_MATCH, etag, true) {
        return Wanted::Nothing;
    }
    // "A server MUST ignore a Range header field received with a request method that is unrecognized or for which
    // range handling is not defined", and it is defined for GET alone.
    let same = headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == etag.as_bytes());
    if *method != Method::GET || !same {
        return Wanted::Whole;
    }
    part(headers, length).unwrap_or(Wanted::Whole)
}

/// Whether a list of entity tags has this one, or is `*`.
fn names(headers: &HeaderMap, list: HeaderName, etag: &str, weak: bool) -> bool {
    let elements = headers.get_all(list).into_iter().filter_map(|value| value.to_str().ok());
    elements.flat_map(|value| value.split(',')).map(str::trim).any(|element| {
        let tag = if weak { element.strip_prefix("W/").unwrap_or(element) } else { element };
        element == "*" || tag == etag
    })
}

/// The one range that is asked for; what is malformed, or more than one, is ignored.
fn part(headers: &HeaderMap, length: u64) -> Option<Wanted> {
    let mut ranges = headers.get_all(header::RANGE).into_iter();
    let (range, None) = (ranges.next()?, ranges.next()) else { return None };
    let (unit, range) = range.to_str().ok()?.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let part = match (first, last) {
        ("", suffix) => length.saturating_sub(number(suffix)?)..length,
        (first, "") => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            first..length.min(last.saturating_add(1))
        }
    };
    Some(if part.is_empty() { Wanted::NoSuchPart } else { Wanted::Part(part) })
}

/// Digits only; what is too large for a number is larger than any content.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const ETAG: &str = "\"abc\"";

    fn asked(fields: &[(HeaderName, &'static str)]) -> Wanted {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        wanted(&Method::GET, &headers, ETAG, 100)
    }

    #[test]
    fn one_range_is_a_part() {
        for (range, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=10-19", 10..20),
            ("bytes=90-", 90..100),
            ("bytes=90-1000", 90..100),
            ("bytes=-1", 99..100),
            ("bytes=-1000", 0..100),
            ("Bytes=0-0", 0..1),
            ("bytes=0-99999999999999999999999", 0..100),
            ("bytes=-99999999999999999999999", 0..100),
        ] {
            assert_eq!(asked(&[(header::RANGE, range)]), Wanted::Part(part), "{range}");
        }
    }

    #[test]
    fn a_range_behind_the_end_is_refused_and_a_malformed_one_ignored() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(asked(&[(header::RANGE, range)]), Wanted::NoSuchPart, "{range}");
        }
        for range in
            ["bytes=5-4", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "bytes", "bytes=+1-2"]
        {
            assert_eq!(asked(&[(header::RANGE, range)]), Wanted::Whole, "{range}");
        }
        assert_eq!(asked(&[(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=5-6")]), Wanted::Whole);
    }

    #[test]
    fn a_part_of_another_content_is_the_whole() {
        let range = (header::RANGE, "bytes=0-0");
        for (known, outcome) in [
            (ETAG, Wanted::Part(0..1)),
            ("\"other\"", Wanted::Whole),
            ("W/\"abc\"", Wanted::Whole),
            ("Fri, 20 Nov 2026 12:00:00 GMT", Wanted::Whole),
        ] {
            assert_eq!(asked(&[range.clone(), (header::IF_RANGE, known)]), outcome, "{known}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent() {
        for list in [ETAG, "*", "W/\"abc\"", "\"x\", \"abc\"", "\"x\",W/\"abc\" ,\"y\""] {
            assert_eq!(asked(&[(header::IF_NONE_MATCH, list)]), Wanted::Nothing, "{list}");
            let with_range = asked(&[(header::IF_NONE_MATCH, list), (header::RANGE, "bytes=0-0")]);
            assert_eq!(with_range, Wanted::Nothing, "{list}");
        }
        for list in ["\"x\"", "abc", "", "\"ABC\""] {
            assert_eq!(asked(&[(header::IF_NONE_MATCH, list)]), Wanted::Whole, "{list}");
        }
        let lines = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_NONE_MATCH, ETAG)];
        assert_eq!(asked(&lines), Wanted::Nothing);
    }

    #[test]
    fn another_content_than_the_one_wanted_is_refused() {
        for (list, outcome) in
            [(ETAG, Wanted::Whole), ("*", Wanted::Whole), ("\"x\"", Wanted::Refused), ("W/\"abc\"", Wanted::Refused)]
        {
            assert_eq!(asked(&[(header::IF_MATCH, list)]), outcome, "{list}");
        }
    }
}

//! The wording of letters.

use super::*;

#[test]
fn spans_are_in_the_largest_unit_that_is_exact() {
    for (seconds, expected) in [
        (60, "1 minute"),
        (90, "90 seconds"),
        (1800, "30 minutes"),
        (3600, "1 hour"),
        (86_400, "24 hours"),
        (172_800, "2 days"),
    ] {
        assert_eq!(span(seconds), expected);
    }
}

#[test]
fn names_can_write_neither_html_nor_lines() {
    let letter = Letter::PasswordChanged {
        username: Some("<b>\r\n\r\nYour bank: &\"'".to_owned()),
        when: DateTime::UNIX_EPOCH,
        address: Some("<i>".to_owned()),
        api_keys: Vec::new(),
    };
    assert!(letter.html().contains("<p>Hello &lt;b&gt;    Your bank: &amp;&quot;&#39;,</p>"), "{}", letter.html());
    assert!(letter.html().contains("1 January 1970 at 00:00 UTC, from &lt;i&gt;."), "{}", letter.html());
    assert!(letter.text().starts_with("Hello <b>    Your bank: &\"',\n\n"), "{}", letter.text());
}

#[test]
fn a_new_address_is_not_told_whole() {
    assert_eq!(masked("benno@example.net"), "b…@example.net");
    assert_eq!(masked("nonsense"), "another one");
}

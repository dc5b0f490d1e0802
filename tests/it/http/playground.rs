//! The playground is a page like any other's, but with nothing from elsewhere.

use super::get;
use crate::support::TestApp;

/// The paths that the page names.
fn paths(page: &str) -> Vec<&str> {
    let named = ["src=\"", "href=\""].into_iter().flat_map(|attribute| page.split(attribute).skip(1));
    named.filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_page_loads_only_what_the_server_itself_has() {
    let test = TestApp::start().await;
    let page = test.anonymous().get("/").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
    let script = policy.split(';').find(|rule| rule.trim().starts_with("script-src")).expect("a rule for scripts");
    assert_eq!(script.trim(), "script-src 'self'", "no inline script");

    let html = page.body.as_str().expect("a page");
    assert!(!html.contains("https://") && !html.contains("http://"), "nothing from elsewhere: {html}");
    let paths = paths(html);
    assert!(paths.iter().any(|path| path.ends_with(".js")) && paths.iter().any(|path| path.ends_with(".css")));
    for path in paths {
        let file = test.anonymous().get(path).await;
        let expected = match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => panic!("a kind of file that this test does not know: {path}"),
        };
        assert_eq!((file.status.as_u16(), file.header("content-type")), (200, expected), "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(file.header("content-security-policy"), policy, "{path}");
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let test = TestApp::start().await;
    for path in ["/", "/playground/playground.js", "/playground/index.css"] {
        let first = test.anonymous().get(path).await;
        let etag = first.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "{path}: {etag}");
        assert_eq!(first.header("cache-control"), "no-cache", "{path}: asked for again each time");
        let again = test.anonymous().send(get(path, &[("if-none-match", &etag)])).await;
        assert_eq!((again.status.as_u16(), again.body.as_str()), (304, Some("")), "{path}");
        assert_eq!(again.header("etag"), etag, "{path}");
        let other = test.anonymous().send(get(path, &[("if-none-match", "\"another\"")])).await;
        assert_eq!((other.status.as_u16(), &other.body), (200, &first.body), "{path}");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let test = TestApp::with_config(|config| config.graphql.playground = false).await;
    for path in ["/", "/playground/playground.js", "/playground/index.html"] {
        let reply = test.anonymous().get(path).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "NOT_FOUND"), "{path}");
    }
    assert!(test.anonymous().run("{ hello }").await.data()["hello"].is_string(), "the API is there");
}

//! The pages behind the links in mails: they load nothing from elsewhere, and reading them changes nothing.

use super::{get, post};
use crate::support::TestApp;

const PAGES: [&str; 3] = ["/verify-email", "/reset-password", "/restore-account"];

/// The paths that a page names, which are relative to it.
fn paths(page: &str) -> Vec<&str> {
    let named = ["src=\"", "href=\""].into_iter().flat_map(|attribute| page.split(attribute).skip(1));
    named.filter_map(|rest| rest.split('"').next()).filter(|path| *path != "data:,").collect()
}

#[tokio::test]
async fn a_page_loads_only_what_the_server_itself_has() {
    let test = TestApp::with_config(|config| config.graphql.playground = false).await;
    for path in PAGES {
        let page = test.anonymous().get(path).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        let policy = page.header("content-security-policy");
        assert_eq!(
            policy,
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let html = page.body.as_str().expect("a page");
        for elsewhere in ["http:", "https:", "//", "<style", "style=", " onclick", " onload", "<iframe", "<img"] {
            assert!(!html.contains(elsewhere), "{elsewhere} in {path}");
        }
        let mut files: Vec<String> = paths(html).into_iter().map(|path| format!("/{path}")).collect();
        assert!(files.iter().any(|path| path.ends_with(".js")) && files.iter().any(|path| path.ends_with(".css")));
        files.push("/links/links.js".to_owned());
        for file in files {
            let expected = if file.ends_with(".js") { "text/javascript" } else { "text/css" };
            let reply = test.anonymous().get(&file).await;
            assert_eq!(reply.status.as_u16(), 200, "{file}");
            assert_eq!(reply.header("content-type"), format!("{expected}; charset=utf-8"), "{file}");
            let text = reply.body.as_str().expect("a file");
            for unsafe_call in ["innerHTML", "eval(", "http://", "https://", "Storage", "cookie"] {
                assert!(!text.contains(unsafe_call), "{unsafe_call} in {file}");
            }
        }
    }
}

#[tokio::test]
async fn no_page_is_kept_or_tells_another_site_of_itself() {
    let test = TestApp::start().await;
    for path in PAGES.into_iter().chain(["/links/links.js", "/links/verify-email.js", "/links/links.css"]) {
        let reply = test.anonymous().get(path).await;
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{path}");
        assert!(!reply.headers.contains_key("set-cookie"), "{path}");
    }
}

#[tokio::test]
async fn a_page_is_the_same_whoever_opens_it_and_whatever_the_link_says() {
    let (test, user) = TestApp::with_user().await;
    for path in PAGES {
        let plain = test.anonymous().get(path).await;
        for link in [format!("{path}?token=crt_secret"), format!("{path}?token=%3Cscript%3E&x=y")] {
            let reply = user.send(get(&link, &[("user-agent", "a mail scanner")])).await;
            assert_eq!((reply.status, &reply.body), (plain.status, &plain.body), "{link}");
        }
    }
}

#[tokio::test]
async fn a_page_is_read_and_nothing_else() {
    let test = TestApp::start().await;
    for path in PAGES {
        let mut request = post(&[("content-type", "application/x-www-form-urlencoded")], "token=x&password=y");
        *request.uri_mut() = path.parse().expect("a path");
        let reply = test.anonymous().send(request).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (405, "BAD_USER_INPUT"), "{path}");
    }
    for path in ["/links", "/links/", "/links/nothing.js", "/links/%ff", "/links/..%2flinks.rs", "/verify-email/"] {
        let reply = test.anonymous().get(path).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (404, "NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn reading_a_page_asks_the_database_nothing() {
    let test = TestApp::start().await;
    // With the database gone, everything that needs it fails.
    test.app.stop().await;
    assert_ne!(test.anonymous().get("/readyz").await.status.as_u16(), 200);
    for path in PAGES {
        assert_eq!(test.anonymous().get(&format!("{path}?token=x")).await.status.as_u16(), 200, "{path}");
    }
}

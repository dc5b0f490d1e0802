//! `createApiKey` for a counter that goes at the same moment.

use serde_json::json;

use crate::support::{Caller, Hold, Reply, TestApp};

/// Makes a key that is limited to the counter `a`.
async fn create_key(user: &Caller) -> Reply {
    let create = r#"mutation { createApiKey(input: { password: "correct horse battery", name: "key", scopes: [COUNTERS_NEXT], counter: "a" })
        { apiKey { id } secret userErrors { code field message } } }"#;
    user.run(create).await
}

#[tokio::test]
async fn a_key_for_a_counter_that_is_deleted_meanwhile_is_not_made() {
    let (test, user) = TestApp::with_user().await;
    let unknown = create_key(&user).await;
    assert_eq!(unknown.user_errors("createApiKey"), ["NOT_FOUND input.counter"]);
    for round in 0..20 {
        let create = r#"mutation { createCounter(input: { name: "a" }) { userErrors { code } } }"#;
        assert_eq!(user.run(create).await.data()["createCounter"]["userErrors"], json!([]));
        let hold = Hold::of(&test, "DELETE FROM counters WHERE name = 'a'").await;
        let creating = tokio::spawn({
            let user = user.clone();
            async move { create_key(&user).await }
        });
        // More of it each time, so that in some rounds it has seen the counter.
        for _ in 0..round {
            user.run("{ current }").await.data();
        }
        hold.release().await;
        assert_eq!(creating.await.expect("an answer").body, unknown.body, "round {round}");
    }
    assert_eq!(user.run("{ viewer { apiKeys { id } } }").await.data()["viewer"]["apiKeys"], json!([]));
}

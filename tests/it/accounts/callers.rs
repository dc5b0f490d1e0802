//! Every field of the roots and of `Viewer`, asked by every kind of caller (Z1). A field that the schema gets later
//! belongs into the table.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Caller, PASSWORD, Reply, TestApp};

/// What a field asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// Nothing: also nobody is answered.
    Nothing,
    /// Somebody: a person, or any API key.
    SignedIn,
    /// Somebody: a person, or an API key with this scope.
    Scope(&'static str),
    /// A person who is signed in themselves.
    Person,
    /// A person, or nobody, who proves who they are in the input: but no API key.
    NoKey,
    /// An administrator in person.
    Admin,
}

use Need::{Admin, NoKey, Nothing, Person, Scope, SignedIn};

const ACCOUNT: Need = Scope("ACCOUNT_READ");
const COUNTERS: Need = Scope("COUNTERS_READ");
const PHOTOS: Need = Scope("PHOTOS_READ");
const PHOTOS_WRITE: Need = Scope("PHOTOS_WRITE");
const SCOPES: [&str; 6] =
    ["ACCOUNT_READ", "COUNTERS_READ", "COUNTERS_NEXT", "COUNTERS_WRITE", "PHOTOS_READ", "PHOTOS_WRITE"];

/// Operations that can be repeated: what would end the caller is given what it refuses in the payload.
const TABLE: [(&str, Need, &str); 67] = [
    ("Query.hello", Nothing, "{ hello }"),
    ("Query.server", Nothing, "{ server { version time errorCodes limits { depth } } }"),
    ("Query.viewer", Nothing, "{ viewer { __typename } }"),
    ("Query.current", COUNTERS, "{ current }"),
    ("Query.user", ACCOUNT, "{ user(username: \"anna\") { id email } }"),
    ("Query.users", ACCOUNT, "{ users { nodes { id email } totalCount } }"),
    ("Query.node", ACCOUNT, "{ node(id: \"usr_00000000000070008000000000000000\") { id } }"),
    ("Query.nodes", COUNTERS, "{ nodes(ids: [\"ctr_00000000000070008000000000000000\"]) { id } }"),
    ("Viewer.id", Nothing, "{ viewer { id } }"),
    ("Viewer.user", ACCOUNT, "{ viewer { user { id email } } }"),
    ("Viewer.emailVerifiedAt", ACCOUNT, "{ viewer { emailVerifiedAt } }"),
    ("Viewer.role", ACCOUNT, "{ viewer { role } }"),
    ("Viewer.session", Nothing, "{ viewer { session { id } } }"),
    ("Viewer.sessions", ACCOUNT, "{ viewer { sessions { id ipAddress } } }"),
    ("Viewer.apiKeys", ACCOUNT, "{ viewer { apiKeys { id prefix } } }"),
    ("Viewer.events", ACCOUNT, "{ viewer { events { nodes { id kind } } } }"),
    ("Viewer.counter", COUNTERS, "{ viewer { counter { id current } } }"),
    ("Mutation.signUp", Nothing, "signUp(input: { username: \"x\", password: \"short\" }) { userErrors { code } }"),
    ("Mutation.login", Nothing, "login(input: { identifier: \"anna\", password: \"no\" }) { userErrors { code } }"),
    ("Mutation.refreshTokens", Nothing, "refreshTokens(input: { refreshToken: \"no\" }) { userErrors { code } }"),
    ("Mutation.logout", Person, "logout(input: { scope: REFRESH_TOKEN }) { endedSessions }"),
    (
        "Mutation.changePassword",
        NoKey,
        "changePassword(input: { identifier: \"anna\", currentPassword: \"no\", newPassword: \"long enough, this\" })
         { userErrors { code } }",
    ),
    ("Mutation.updateProfile", Person, "updateProfile(input: { displayName: \"A name\" }) { userErrors { code } }"),
    (
        "Mutation.changeEmail",
        Person,
        "changeEmail(input: { newEmail: \"new@example.org\", password: \"no\" }) { userErrors { code } }",
    ),
    ("Mutation.sendVerificationEmail", Person, "sendVerificationEmail { sent }"),
    ("Mutation.verifyEmail", Nothing, "verifyEmail(input: { token: \"no\" }) { userErrors { code } }"),
    (
        "Mutation.requestPasswordReset",
        Nothing,
        "requestPasswordReset(input: { email: \"nobody@example.org\" }) { accepted }",
    ),
    (
        "Mutation.resetPassword",
        Nothing,
        "resetPassword(input: { token: \"no\", newPassword: \"long enough, this\" }) { userErrors { code } }",
    ),
    ("Mutation.endSession", Person, "endSession(input: { sessionId: \"no\" }) { userErrors { code } }"),
    (
        "Mutation.createApiKey",
        Person,
        "createApiKey(input: { password: \"correct horse battery\", name: \"no\", scopes: [] }) { userErrors { code } }",
    ),
    ("Mutation.revokeApiKey", Person, "revokeApiKey(input: { apiKeyId: \"no\" }) { userErrors { code } }"),
    ("Mutation.deleteAccount", Person, "deleteAccount(input: { password: \"no\" }) { userErrors { code } }"),
    ("Mutation.restoreAccount", Nothing, "restoreAccount(input: { link: { token: \"no\" } }) { userErrors { code } }"),
    ("Mutation.setUserRole", Admin, "setUserRole(input: { userId: \"no\", role: ADMIN }) { userErrors { code } }"),
    ("Mutation.suspendUser", Admin, "suspendUser(input: { userId: \"no\" }) { userErrors { code } }"),
    ("Mutation.reinstateUser", Admin, "reinstateUser(input: { userId: \"no\" }) { userErrors { code } }"),
    ("Mutation.next", Scope("COUNTERS_NEXT"), "next { value counter { current } }"),
    ("Mutation.setCurrent", Scope("COUNTERS_WRITE"), "setCurrent(input: { current: 5 }) { userErrors { code } }"),
    ("Viewer.counters", COUNTERS, "{ viewer { counters { nodes { id } totalCount } } }"),
    ("Mutation.createCounter", Scope("COUNTERS_WRITE"), "createCounter(input: { name: \"\" }) { userErrors { code } }"),
    ("Mutation.deleteCounter", Scope("COUNTERS_WRITE"), "deleteCounter(input: { name: \"\" }) { userErrors { code } }"),
    ("Subscription.counter", COUNTERS, "subscription { counter { id current } }"),
    ("Subscription.current", COUNTERS, "subscription { current }"),
    ("Query.photo", PHOTOS, "{ photo(id: \"pho_00000000000070008000000000000000\") { id } }"),
    ("Query.photos", PHOTOS, "{ photos { nodes { id } totalCount } }"),
    ("Viewer.photos", PHOTOS, "{ viewer { photos(state: DRAFT) { nodes { id } totalCount } } }"),
    ("Viewer.storage", PHOTOS, "{ viewer { storage { usedBytes } } }"),
    ("Mutation.uploadPhotos", PHOTOS_WRITE, "uploadPhotos(input: { photos: [] }) { userErrors { code } }"),
    ("Mutation.editPhotos", PHOTOS_WRITE, "editPhotos(input: { edits: [] }) { userErrors { code } }"),
    ("Mutation.publishPhotos", PHOTOS_WRITE, "publishPhotos(input: { photoIds: [] }) { userErrors { code } }"),
    ("Mutation.unpublishPhotos", PHOTOS_WRITE, "unpublishPhotos(input: { photoIds: [] }) { userErrors { code } }"),
    ("Mutation.deletePhotos", PHOTOS_WRITE, "deletePhotos(input: { photoIds: [] }) { userErrors { code } }"),
    ("Subscription.photoPublished", PHOTOS, SILENT),
    // The same with what exists, and with what does not.
    ("Query.user", ACCOUNT, "{ user(username: \"nobody\") { id } }"),
    ("Query.current", COUNTERS, "{ current(counter: \"default\") }"),
    ("Subscription.counter", COUNTERS, "subscription { counter(name: \"default\") { id name } }"),
    ("Query.node", SignedIn, "{ node(id: \"vwr_00000000000070008000000000000000\") { id } }"),
    ("Query.node", ACCOUNT, "{ node(id: \"ses_00000000000070008000000000000000\") { id } }"),
    ("Query.node", ACCOUNT, "{ node(id: \"key_00000000000070008000000000000000\") { id } }"),
    ("Query.node", ACCOUNT, "{ node(id: \"evt_00000000000070008000000000000000\") { id } }"),
    ("Query.node", COUNTERS, "{ node(id: \"ctr_00000000000070008000000000000000\") { id } }"),
    ("Query.node", PHOTOS, "{ node(id: \"pho_00000000000070008000000000000000\") { id } }"),
    ("Query.photos", PHOTOS, "{ photos(author: \"nobody\", tags: [\"x\"], order: ASC) { nodes { id } } }"),
    ("Query.photos", PHOTOS, "{ photos(author: \"anna\", last: 1) { totalCount } }"),
    ("Mutation.deletePhotos", PHOTOS_WRITE, "deletePhotos(input: { photoIds: [\"no\"] }) { userErrors { code } }"),
    (
        "Mutation.editPhotos",
        PHOTOS_WRITE,
        "editPhotos(input: { edits: [{ photoId: \"pho_00000000000070008000000000000000\" }] }) { userErrors { code } }",
    ),
    ("Query.users", ACCOUNT, "{ users(search: \"anna\", last: 1) { nodes { id } } }"),
];

/// It has no first answer: whoever may listen hears that these are too many tags.
const SILENT: &str =
    "subscription { photoPublished(tags: [\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]) { id } }";

fn text(field: &str, operation: &str) -> String {
    if field.starts_with("Mutation.") { format!("mutation {{ {operation} }}") } else { operation.to_owned() }
}

/// `OK`, also with user errors, or the code of the one error.
fn outcome(reply: &Reply) -> String {
    let refused = reply.status.as_u16() == 401;
    match reply.body.get("errors") {
        None => "OK".to_owned(),
        Some(_) if refused => format!("401 {}", reply.code()),
        Some(_) => reply.code().to_owned(),
    }
}

/// Asserts what this caller hears to every line of the table.
async fn hears(caller: &Caller, who: &str, expected: impl Fn(&str, Need) -> &'static str) {
    for (field, need, operation) in TABLE {
        let reply = match field.starts_with("Subscription.") {
            true => caller.listen(operation).await,
            false => caller.run(&text(field, operation)).await,
        };
        let outcome = match (operation, outcome(&reply)) {
            (SILENT, code) if code == "BAD_USER_INPUT" => "OK".to_owned(),
            (_, outcome) => outcome,
        };
        assert_eq!(outcome, expected(field, need), "{who}: {field} {operation}: {}", reply.body);
    }
}

#[tokio::test]
async fn the_table_has_every_field_of_the_roots_and_of_viewer() {
    let test = TestApp::start().await;
    let query = "{ __schema { types { name fields { name } } } }";
    let reply = test.anonymous().run(query).await;
    let types = reply.data()["__schema"]["types"].as_array().expect("types").clone();
    let mut found = BTreeSet::new();
    for name in ["Query", "Mutation", "Subscription", "Viewer"] {
        let kind = types.iter().find(|kind| kind["name"] == name).expect(name);
        let fields = kind["fields"].as_array().expect("fields").iter();
        found.extend(fields.filter_map(|field| field["name"].as_str()).map(|field| format!("{name}.{field}")));
    }
    let table: BTreeSet<String> = TABLE.iter().map(|(field, ..)| (*field).to_owned()).collect();
    assert_eq!(table, found);
}

#[tokio::test]
async fn nobody_is_told_to_sign_in() {
    let (test, _) = TestApp::with_user().await;
    let before = test.rows().await;
    hears(&test.anonymous(), "nobody", |field, need| match need {
        Nothing | NoKey => "OK",
        _ if field.starts_with("Viewer.") => "OK",
        _ => "UNAUTHENTICATED",
    })
    .await;
    let viewer = test.anonymous().run("{ viewer { role user { id } sessions { id } } }").await;
    assert_eq!(viewer.data()["viewer"], Value::Null);
    assert_eq!(test.rows().await, before);
}

#[tokio::test]
async fn a_user_may_do_all_but_administer() {
    let (test, anna) = TestApp::with_user().await;
    let bert = test.sign_up("bert").await;
    for (who, caller) in [("anna", &anna), ("bert", &bert)] {
        hears(caller, who, |_, need| if need == Admin { "FORBIDDEN" } else { "OK" }).await;
    }
}

#[tokio::test]
async fn an_administrator_may_do_all() {
    let test = TestApp::start().await;
    hears(&test.admin("root").await, "root", |_, _| "OK").await;
}

#[tokio::test]
async fn an_api_key_may_do_what_its_scopes_say_and_never_what_needs_a_person() {
    let test = TestApp::start().await;
    let root = test.admin("root").await;
    for scope in SCOPES {
        let with = test.key_of(&root, &format!("scopes: [{scope}]")).await;
        hears(&with, scope, |_, need| match need {
            Nothing | SignedIn => "OK",
            Scope(needed) if needed == scope => "OK",
            _ => "FORBIDDEN",
        })
        .await;
        let others = SCOPES.into_iter().filter(|other| *other != scope).collect::<Vec<_>>().join(", ");
        let without = test.key_of(&root, &format!("scopes: [{others}]")).await;
        hears(&without, &format!("all but {scope}"), |_, need| match need {
            Nothing | SignedIn => "OK",
            Scope(needed) if needed != scope => "OK",
            _ => "FORBIDDEN",
        })
        .await;
    }
}

#[tokio::test]
async fn an_api_key_for_one_counter_may_touch_that_counter_alone() {
    let (test, anna) = TestApp::with_user().await;
    let scopes = ["COUNTERS_READ", "COUNTERS_NEXT", "COUNTERS_WRITE"];
    for (scope, all) in scopes.into_iter().map(|scope| (scope, scope.to_owned())).chain([("", scopes.join(", "))]) {
        let key = test.key_of(&anna, &format!("scopes: [{all}], counter: \"default\"")).await;
        // What there is of counters beside it, is not its business.
        let others = ["Viewer.counters", "Mutation.createCounter", "Mutation.deleteCounter"];
        hears(&key, &all, |field, need| match need {
            Nothing | SignedIn => "OK",
            Scope(_) if others.contains(&field) => "FORBIDDEN",
            Scope(needed) if needed == scope || (scope.is_empty() && scopes.contains(&needed)) => "OK",
            _ => "FORBIDDEN",
        })
        .await;
    }
}

#[tokio::test]
async fn whoever_is_suspended_or_has_left_is_refused_wherever_a_user_is_needed() {
    let (test, anna) = TestApp::with_user().await;
    let root = test.admin("root").await;
    let all = format!("scopes: [{}]", SCOPES.join(", "));
    let key = test.key_of(&anna, &all).await;
    let id = anna.user_id().await;
    root.run(&format!("mutation {{ suspendUser(input: {{ userId: \"{id}\" }}) {{ user {{ id }} }} }}")).await.data();
    hears(&anna, "suspended", rejected).await;
    hears(&key, "suspended", rejected).await;

    let bert = test.sign_up("bert").await;
    let key = test.key_of(&bert, &all).await;
    let leave = format!("mutation {{ deleteAccount(input: {{ password: \"{PASSWORD}\" }}) {{ deletedUserId }} }}");
    assert!(bert.run(&leave).await.data()["deleteAccount"]["deletedUserId"].is_string());
    hears(&bert, "gone", rejected).await;
    hears(&key, "gone", rejected).await;
}

/// `viewer` is not null: a client must learn that its token is not good.
fn rejected(field: &str, need: Need) -> &'static str {
    match need {
        Nothing | NoKey if !["Query.viewer", "Viewer.id", "Viewer.session"].contains(&field) => "OK",
        _ => "401 UNAUTHENTICATED",
    }
}

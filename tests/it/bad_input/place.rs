//! Every place where a client can put a value, and how a bad one must be refused there.

/// Codes that say that the request is at fault.
pub const CODES: [&str; 5] =
    ["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "NOT_FOUND", "QUERY_TOO_COMPLEX"];

/// Inputs within inputs, and where they stand.
pub const NESTED: [(&str, &str); 4] = [
    ("NewPhoto", "uploadPhotos.photos"),
    ("PhotoEdit", "editPhotos.edits"),
    ("RestoreAccountByLinkInput", "restoreAccount.link"),
    ("RestoreAccountByCredentialsInput", "restoreAccount.credentials"),
];

/// A field of an input object, or an argument.
#[derive(Clone, Copy)]
pub struct Place {
    /// The field of the schema that takes it.
    pub root: &'static str,
    /// Its name, or its path below `input` as errors have it, such as `edits.0.caption`.
    pub name: &'static str,
    /// Its type, as a variable for it is declared.
    pub kind: &'static str,
    /// A query or a subscription, or the fields of a mutation's input, with `$value` where the value goes.
    pub text: &'static str,
    /// Types of JSON that are no mistake there.
    pub takes: &'static [&'static str],
    /// A bad value is answered as what does not exist is: null, an empty list, or a proof that is none.
    pub keeps_quiet: bool,
}

const fn place(root: &'static str, name: &'static str, kind: &'static str, text: &'static str) -> Place {
    Place { root, name, kind, text, takes: &["text"], keeps_quiet: false }
}

const fn taking(takes: &'static [&'static str], place: Place) -> Place {
    Place { takes, ..place }
}

const fn quiet(place: Place) -> Place {
    Place { keeps_quiet: true, ..place }
}

pub const SUBSCRIPTION: &str = "subscription ";
const OPTIONAL: &[&str] = &["text", "null"];
const NUMBER: &[&str] = &["number", "null"];
/// A whole number is an id, too.
const IDS: &[&str] = &["text", "number"];

pub const PLACES: &[Place] = &[
    taking(
        OPTIONAL,
        place("signUp", "email", "String", r#"email: $value, username: "fresh", password: "quarry lantern 52 violin""#),
    ),
    taking(
        OPTIONAL,
        place(
            "signUp",
            "username",
            "String",
            r#"username: $value, email: "a@example.org", password: "quarry lantern 52 violin""#,
        ),
    ),
    place("signUp", "password", "String!", r#"username: "fresh", password: $value"#),
    taking(
        OPTIONAL,
        place(
            "signUp",
            "displayName",
            "String",
            r#"username: "fresh", password: "quarry lantern 52 violin", displayName: $value"#,
        ),
    ),
    quiet(place("login", "identifier", "String!", r#"identifier: $value, password: "correct horse battery""#)),
    quiet(place("login", "password", "String!", r#"identifier: "anna", password: $value"#)),
    taking(
        OPTIONAL,
        place(
            "login",
            "deviceName",
            "String",
            r#"identifier: "anna", password: "correct horse battery", deviceName: $value"#,
        ),
    ),
    // Without the present password nothing changes, whatever else is good.
    taking(
        OPTIONAL,
        quiet(place(
            "changePassword",
            "identifier",
            "String",
            r#"identifier: $value, currentPassword: "not the one", newPassword: "quarry lantern 52 violin""#,
        )),
    ),
    quiet(place(
        "changePassword",
        "currentPassword",
        "String!",
        r#"currentPassword: $value, newPassword: "quarry lantern 52 violin""#,
    )),
    place(
        "changePassword",
        "newPassword",
        "String!",
        r#"currentPassword: "correct horse battery", newPassword: $value"#,
    ),
    taking(
        &[],
        place(
            "changePassword",
            "sessions",
            "AccessAfterPasswordChange!",
            r#"currentPassword: "not the one", newPassword: "quarry lantern 52 violin", sessions: $value"#,
        ),
    ),
    taking(
        &[],
        place(
            "changePassword",
            "apiKeys",
            "AccessAfterPasswordChange!",
            r#"currentPassword: "not the one", newPassword: "quarry lantern 52 violin", apiKeys: $value"#,
        ),
    ),
    taking(OPTIONAL, place("updateProfile", "username", "String", "username: $value")),
    taking(OPTIONAL, place("updateProfile", "displayName", "String", "displayName: $value")),
    place("changeEmail", "newEmail", "String!", r#"newEmail: $value, password: "correct horse battery""#),
    quiet(place("changeEmail", "password", "String!", r#"newEmail: "new@example.org", password: $value"#)),
    place("verifyEmail", "token", "String!", "token: $value"),
    taking(OPTIONAL, quiet(place("verifyEmail", "password", "String", r#"token: "none", password: $value"#))),
    place("requestPasswordReset", "email", "String!", "email: $value"),
    place("resetPassword", "token", "String!", r#"token: $value, newPassword: "quarry lantern 52 violin""#),
    quiet(place("resetPassword", "newPassword", "String!", r#"token: "none", newPassword: $value"#)),
    quiet(place("deleteAccount", "password", "String!", "password: $value")),
    taking(&[], place("restoreAccount", "link", "RestoreAccountByLinkInput!", "link: $value")),
    quiet(place("restoreAccount", "link.token", "String!", "link: { token: $value }")),
    taking(
        OPTIONAL,
        quiet(place("restoreAccount", "link.password", "String", r#"link: { token: "none", password: $value }"#)),
    ),
    taking(&[], place("restoreAccount", "credentials", "RestoreAccountByCredentialsInput!", "credentials: $value")),
    quiet(place(
        "restoreAccount",
        "credentials.identifier",
        "String!",
        r#"credentials: { identifier: $value, password: "correct horse battery" }"#,
    )),
    quiet(place(
        "restoreAccount",
        "credentials.password",
        "String!",
        r#"credentials: { identifier: "anna", password: $value }"#,
    )),
    taking(IDS, place("endSession", "sessionId", "ID!", "sessionId: $value")),
    quiet(place("createApiKey", "password", "String!", r#"name: "x", scopes: [COUNTERS_READ], password: $value"#)),
    place(
        "createApiKey",
        "name",
        "String!",
        r#"password: "correct horse battery", name: $value, scopes: [COUNTERS_READ]"#,
    ),
    taking(
        &[],
        place("createApiKey", "scopes", "[Scope!]!", r#"password: "correct horse battery", name: "x", scopes: $value"#),
    ),
    taking(
        OPTIONAL,
        place(
            "createApiKey",
            "counter",
            "String",
            r#"password: "correct horse battery", name: "x", scopes: [COUNTERS_READ], counter: $value"#,
        ),
    ),
    taking(
        OPTIONAL,
        place(
            "createApiKey",
            "expiresAt",
            "DateTime",
            r#"password: "correct horse battery", name: "x", scopes: [COUNTERS_READ], expiresAt: $value"#,
        ),
    ),
    taking(
        OPTIONAL,
        place(
            "createApiKey",
            "idempotencyKey",
            "String",
            r#"password: "correct horse battery", name: "x", scopes: [COUNTERS_READ], idempotencyKey: $value"#,
        ),
    ),
    taking(IDS, place("revokeApiKey", "apiKeyId", "ID!", "apiKeyId: $value")),
    taking(IDS, place("setUserRole", "userId", "ID!", "userId: $value, role: USER")),
    taking(
        &[],
        place("setUserRole", "role", "Role!", r#"userId: "usr_00000000000070008000000000000000", role: $value"#),
    ),
    taking(IDS, place("suspendUser", "userId", "ID!", "userId: $value")),
    taking(IDS, place("reinstateUser", "userId", "ID!", "userId: $value")),
    taking(
        OPTIONAL,
        quiet(place("users", "search", "String", "{ users(search: $value) { nodes { id } totalCount } }")),
    ),
    taking(NUMBER, place("users", "first", "Int", "{ users(first: $value) { nodes { id } } }")),
    taking(NUMBER, place("users", "last", "Int", "{ users(last: $value) { nodes { id } } }")),
    taking(OPTIONAL, place("users", "after", "String", "{ users(after: $value) { nodes { id } } }")),
    taking(OPTIONAL, place("users", "before", "String", "{ users(before: $value) { nodes { id } } }")),
    taking(NUMBER, place("events", "first", "Int", "{ viewer { events(first: $value) { nodes { id } } } }")),
    taking(NUMBER, place("events", "last", "Int", "{ viewer { events(last: $value) { nodes { id } } } }")),
    taking(OPTIONAL, place("events", "after", "String", "{ viewer { events(after: $value) { nodes { id } } } }")),
    taking(OPTIONAL, place("events", "before", "String", "{ viewer { events(before: $value) { nodes { id } } } }")),
    place("refreshTokens", "refreshToken", "String!", "refreshToken: $value"),
    taking(&[], place("logout", "scope", "LogoutScope!", "scope: $value")),
    taking(OPTIONAL, place("logout", "refreshToken", "String", "refreshToken: $value")),
    taking(&["number"], place("setCurrent", "current", "SafeInt!", "current: $value")),
    place("setCurrent", "counter", "String!", "current: 5, counter: $value"),
    taking(&["number", "null"], place("setCurrent", "ifCurrent", "SafeInt", "current: 5, ifCurrent: $value")),
    quiet(place("user", "username", "String!", "{ user(username: $value) { id } }")),
    place("current", "counter", "String!", "{ current(counter: $value) }"),
    place("current", "counter", "String!", "subscription { current(counter: $value) }"),
    place("counter", "name", "String!", "subscription { counter(name: $value) { id } }"),
    quiet(place("counter", "name", "String!", "{ viewer { counter(name: $value) { id } } }")),
    quiet(place("node", "id", "ID!", "{ node(id: $value) { id } }")),
    quiet(place("nodes", "ids", "ID!", "{ nodes(ids: [$value]) { id } }")),
    taking(&[], place("nodes", "ids", "[ID!]!", "{ nodes(ids: $value) { id } }")),
    place("next", "counter", "String!", "counter: $value"),
    taking(&["number"], place("next", "count", "Int!", "count: $value")),
    taking(OPTIONAL, place("next", "idempotencyKey", "String", r#"counter: "none", idempotencyKey: $value"#)),
    taking(OPTIONAL, place("setCurrent", "idempotencyKey", "String", "current: -1, idempotencyKey: $value")),
    place("createCounter", "name", "String!", "name: $value"),
    taking(&["number"], place("createCounter", "start", "SafeInt!", r#"name: "fresh", start: $value"#)),
    taking(&["number"], place("createCounter", "step", "Int!", r#"name: "fresh", step: $value"#)),
    taking(&["number", "null"], place("createCounter", "max", "SafeInt", r#"name: "fresh", max: $value"#)),
    taking(OPTIONAL, place("createCounter", "idempotencyKey", "String", r#"name: "fresh", idempotencyKey: $value"#)),
    place("deleteCounter", "name", "String!", "name: $value"),
    taking(
        &["number", "null"],
        place("counters", "first", "Int", "{ viewer { counters(first: $value) { totalCount } } }"),
    ),
    taking(
        &["number", "null"],
        place("counters", "last", "Int", "{ viewer { counters(last: $value) { totalCount } } }"),
    ),
    taking(OPTIONAL, place("counters", "after", "String", "{ viewer { counters(after: $value) { totalCount } } }")),
    taking(OPTIONAL, place("counters", "before", "String", "{ viewer { counters(before: $value) { totalCount } } }")),
    taking(
        OPTIONAL,
        quiet(place("photos", "author", "String", "{ photos(author: $value) { nodes { id } totalCount } }")),
    ),
    taking(
        OPTIONAL,
        quiet(place("photos", "tags", "[String!]", "{ photos(tags: $value) { nodes { id } totalCount } }")),
    ),
    taking(&["text"], quiet(place("photos", "tags", "String!", "{ photos(tags: [$value]) { nodes { id } } }"))),
    taking(&[], place("photos", "order", "Order!", "{ photos(order: $value) { nodes { id } } }")),
    taking(NUMBER, place("photos", "first", "Int", "{ photos(first: $value) { nodes { id } } }")),
    taking(NUMBER, place("photos", "last", "Int", "{ photos(last: $value) { nodes { id } } }")),
    taking(OPTIONAL, place("photos", "after", "String", "{ photos(after: $value) { nodes { id } } }")),
    taking(OPTIONAL, place("photos", "before", "String", "{ photos(before: $value) { nodes { id } } }")),
    taking(&["null"], place("photos", "state", "PhotoState", "{ viewer { photos(state: $value) { totalCount } } }")),
    taking(
        OPTIONAL,
        quiet(place("photos", "tags", "[String!]", "{ viewer { photos(tags: $value) { nodes { id } totalCount } } }")),
    ),
    taking(&[], place("photos", "order", "Order!", "{ viewer { photos(order: $value) { nodes { id } } } }")),
    taking(NUMBER, place("photos", "first", "Int", "{ viewer { photos(first: $value) { nodes { id } } } }")),
    taking(NUMBER, place("photos", "last", "Int", "{ viewer { photos(last: $value) { nodes { id } } } }")),
    taking(OPTIONAL, place("photos", "after", "String", "{ viewer { photos(after: $value) { nodes { id } } } }")),
    taking(OPTIONAL, place("photos", "before", "String", "{ viewer { photos(before: $value) { nodes { id } } } }")),
    taking(IDS, place("photo", "id", "ID!", "{ photo(id: $value) { id } }")),
    taking(&[], place("image", "size", "PhotoSize!", "{ photos { nodes { image(size: $value) { width } } } }")),
    taking(
        OPTIONAL,
        place("photoPublished", "author", "String", "subscription { photoPublished(author: $value) { id } }"),
    ),
    place("photoPublished", "tags", "String!", "subscription { photoPublished(tags: [$value]) { id } }"),
    taking(&[], place("uploadPhotos", "photos", "[NewPhoto!]!", "photos: $value")),
    taking(
        OPTIONAL,
        place("uploadPhotos", "idempotencyKey", "String", "photos: [{ file: $file }], idempotencyKey: $value"),
    ),
    taking(&["boolean"], place("uploadPhotos", "publish", "Boolean!", "photos: [], publish: $value")),
    taking(&[], place("uploadPhotos", "photos.0.file", "Upload!", "photos: [{ file: $value }]")),
    taking(OPTIONAL, place("uploadPhotos", "photos.0.caption", "String", "photos: [{ file: $file, caption: $value }]")),
    taking(&[], place("editPhotos", "edits", "[PhotoEdit!]!", "edits: $value")),
    taking(IDS, place("editPhotos", "edits.0.photoId", "ID!", "edits: [{ photoId: $value }]")),
    taking(
        OPTIONAL,
        place(
            "editPhotos",
            "edits.0.caption",
            "String",
            r#"edits: [{ photoId: "pho_00000000000070008000000000000000", caption: $value }]"#,
        ),
    ),
    taking(IDS, place("publishPhotos", "photoIds.0", "ID!", "photoIds: [$value]")),
    taking(IDS, place("publishPhotos", "photoIds.0", "[ID!]!", "photoIds: $value")),
    taking(IDS, place("unpublishPhotos", "photoIds.0", "ID!", "photoIds: [$value]")),
    taking(IDS, place("deletePhotos", "photoIds.0", "ID!", "photoIds: [$value]")),
    taking(IDS, place("deletePhotos", "photoIds.0", "[ID!]!", "photoIds: $value")),
];

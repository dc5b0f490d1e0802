//! `graphql_client`: types for the operations in `queries.graphql`, derived from the schema of the running server.
//!
//!     cloakroom-client [URL]      http://127.0.0.1:8000/graphql

use std::error::Error;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader};

use graphql_client::{GraphQLQuery, Response};

/// The scalars of the schema, in the types of this program.
type DateTime = String;
type SafeInt = i64;
#[allow(clippy::upper_case_acronyms)]
type URL = String;

macro_rules! operations {
    ($($name:ident),*) => {$(
        #[derive(GraphQLQuery)]
        #[graphql(
            schema_path = "generated/schema.json",
            query_path = "src/queries.graphql",
            response_derives = "Debug, PartialEq",
            skip_serializing_none
        )]
        struct $name;
    )*};
}

operations!(Server, SignUp, Login, Next, CreateCounter, Counters, Nodes, RestoreAccount, Watch);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Client {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

impl Client {
    fn new(url: String) -> Self {
        // The response to a refused request has a body, too.
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        Self { agent: config.build().into(), url, token: None }
    }

    fn post<Q: GraphQLQuery>(&self, accept: &str, variables: Q::Variables) -> Result<ureq::Body> {
        let mut request = self.agent.post(&self.url).header("Accept", accept);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        Ok(request.send_json(Q::build_query(variables))?.into_body())
    }

    /// Returns the data. The error is the code of the first error in the response.
    fn execute<Q: GraphQLQuery>(&self, variables: Q::Variables) -> Result<Q::ResponseData> {
        let mut body = self.post::<Q>("application/graphql-response+json", variables)?;
        data(body.read_json()?)
    }

    /// A subscription, as a stream of server-sent events.
    fn subscribe<Q: GraphQLQuery>(
        &self,
        variables: Q::Variables,
    ) -> Result<impl Iterator<Item = Result<Q::ResponseData>>> {
        let body = self.post::<Q>("text/event-stream", variables)?;
        let lines = BufReader::new(body.into_reader()).lines();
        Ok(lines.filter_map(|line| match line {
            Ok(line) => line.strip_prefix("data: ").map(|event| data(serde_json::from_str(event)?)),
            Err(error) => Some(Err(error.into())),
        }))
    }
}

fn data<T>(response: Response<T>) -> Result<T> {
    match response.errors.unwrap_or_default().first() {
        None => response.data.ok_or_else(|| "neither data nor errors".into()),
        Some(error) => {
            let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code")?.as_str());
            Err(code.unwrap_or("an error without a code").into())
        }
    }
}

fn main() -> Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "http://127.0.0.1:8000/graphql".to_owned());
    let mut client = Client::new(url);
    client.token = Some(sign_in(&client)?);
    take_numbers(&client)?;
    let default_id = read_pages(&client)?;
    read_node(&client, &default_id)?;
    watch(&client)?;
    println!("graphql_client: the derived types hold");
    Ok(())
}

/// Returns an access token of a new user.
fn sign_in(anonymous: &Client) -> Result<String> {
    let server = anonymous.execute::<Server>(server::Variables)?.server;
    assert!(server.error_codes.contains(&server::ErrorCode::UNAUTHENTICATED));
    assert!(server.limits.photo_bytes > 0);

    let username = format!("rust-{:x}", RandomState::new().hash_one(()));
    let sign_up = |password: &str| {
        let input = sign_up::SignUpInput {
            username: Some(username.clone()),
            password: password.to_owned(),
            display_name: None,
            email: None,
        };
        let answer = anonymous.execute::<SignUp>(sign_up::Variables { input })?;
        Ok::<_, Box<dyn Error>>(answer.sign_up.expect("an answer"))
    };
    let weak = sign_up("short")?;
    assert_eq!(weak.user_errors[0].code, sign_up::UserErrorCode::TOO_SHORT);
    assert_eq!(sign_up("correct horse battery")?.user.expect("a user").username, username);

    // Exactly one of the two fields of a @oneOf input is sent.
    let credentials = restore_account::RestoreAccountByCredentialsInput {
        identifier: username.clone(),
        password: "correct horse battery".to_owned(),
    };
    let input = restore_account::RestoreAccountInput { credentials: Some(credentials), link: None };
    let restored = anonymous.execute::<RestoreAccount>(restore_account::Variables { input })?;
    let errors = restored.restore_account.expect("an answer").user_errors;
    assert_eq!(errors[0].code, restore_account::UserErrorCode::WRONG_CREDENTIALS);

    let input =
        login::LoginInput { identifier: username, password: "correct horse battery".to_owned(), device_name: None };
    let tokens = anonymous.execute::<Login>(login::Variables { input })?.login.and_then(|login| login.tokens);
    Ok(tokens.expect("tokens").access_token)
}

fn next(count: i64, counter: &str) -> next::Variables {
    let input = next::NextInput { count, counter: counter.to_owned(), idempotency_key: None };
    next::Variables { input: Some(input) }
}

/// The last number is 5.
fn take_numbers(client: &Client) -> Result<()> {
    assert_eq!(client.execute::<Next>(next::Variables { input: None })?.next.expect("a number").value, 1);
    let range = client.execute::<Next>(next(4, "default"))?.next.expect("a range");
    assert_eq!((range.value, range.counter.current), (5, 5));
    let failure = client.execute::<Next>(next(1, "none")).expect_err("no such counter");
    assert_eq!(failure.to_string(), "NOT_FOUND");
    Ok(())
}

/// Returns the id of the default counter, which is the last one.
fn read_pages(client: &Client) -> Result<String> {
    for name in ["a", "b", "c"] {
        let input = create_counter::CreateCounterInput {
            name: name.to_owned(),
            start: 0,
            step: 1,
            max: None,
            idempotency_key: None,
        };
        let created = client.execute::<CreateCounter>(create_counter::Variables { input })?;
        assert_eq!(created.create_counter.expect("an answer").user_errors, []);
    }
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let viewer = client.execute::<Counters>(counters::Variables { first: 2, after })?.viewer;
        let page = viewer.expect("a viewer").counters;
        pages.push(page.nodes);
        if !page.page_info.has_next_page {
            break;
        }
        after = page.page_info.end_cursor;
    }
    let names: Vec<Vec<&str>> =
        pages.iter().map(|page| page.iter().map(|counter| counter.name.as_str()).collect()).collect();
    assert_eq!(names, [["a", "b"], ["c", "default"]]);
    Ok(pages[1][1].id.clone())
}

fn read_node(client: &Client, id: &str) -> Result<()> {
    let nodes = client.execute::<Nodes>(nodes::Variables { ids: vec![id.to_owned()] })?.nodes.expect("a list");
    let node = nodes[0].as_ref().expect("a node");
    assert_eq!(node.id, id);
    let nodes::NodesNodesOn::Counter(counter) = &node.on else { return Err(format!("no counter: {node:?}").into()) };
    assert_eq!((counter.name.as_str(), counter.current), ("default", 5));
    Ok(())
}

fn watch(client: &Client) -> Result<()> {
    let mut seen = Vec::new();
    for event in client.subscribe::<Watch>(watch::Variables)? {
        seen.push(event?.counter.current);
        if seen.len() == 3 {
            break;
        }
        client.execute::<Next>(next::Variables { input: None })?;
    }
    assert_eq!(seen, [5, 6, 7]);
    Ok(())
}

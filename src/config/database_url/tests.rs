//! Which URLs are understood, and that no error or mask shows a secret.

use secrecy::ExposeSecret as _;

use super::*;

const SECRET: &str = "s3cretX";

fn postgres(url: &str) -> PostgresUrl {
    match url.parse() {
        Ok(DatabaseUrl::Postgres(url)) => url,
        other => panic!("{url}: {other:?}"),
    }
}

fn refusal(url: &str) -> String {
    let error = url.parse::<DatabaseUrl>().expect_err(url);
    format!("{error:#}")
}

fn tcp(name: &str, port: u16) -> Endpoint {
    Endpoint { host: Host::Tcp(name.to_owned()), port }
}

#[test]
fn several_hosts_and_ipv6_literals_are_read_as_libpq_reads_them() {
    let url = postgres("postgresql://me@h1:5433,[2001:db8::1]:5434,h3/app?target_session_attrs=primary");
    assert_eq!(url.endpoints, [tcp("h1", 5433), tcp("2001:db8::1", 5434), tcp("h3", 5432)]);
    assert_eq!(url.target, SessionTarget::Primary);
    assert_eq!(postgres("postgres://[::1]/app").endpoints, [tcp("::1", 5432)]);
    assert_eq!(postgres("postgres:///app?host=a,b&port=1,2").endpoints, [tcp("a", 1), tcp("b", 2)]);
    assert_eq!(postgres("postgres:///app?host=a,b&port=7").endpoints, [tcp("a", 7), tcp("b", 7)]);
    assert_eq!(postgres("postgres:///app").endpoints, [tcp("localhost", 5432)]);
    let socket = Endpoint { host: Host::Unix("/run/pg".to_owned()), port: 5432 };
    assert_eq!(postgres("postgres://%2Frun%2Fpg/app").endpoints, std::slice::from_ref(&socket));
    assert_eq!(postgres("postgres:///app?host=/run/pg").endpoints, [socket]);
}

#[test]
fn several_hosts_mean_the_one_that_accepts_writes() {
    assert_eq!(postgres("postgres://a,b/app").target, SessionTarget::ReadWrite);
    assert_eq!(postgres("postgres://a/app").target, SessionTarget::Any);
    assert_eq!(postgres("postgres://a,b/app?target_session_attrs=any").target, SessionTarget::Any);
    assert!(refusal("postgres://a,b/app?target_session_attrs=standby").contains("cannot write"));
}

#[test]
fn credentials_are_decoded_and_never_shown() {
    let url = postgres("postgres://an%20na:p%40ss%2Fw%23%3F%25@db/app");
    assert_eq!(url.user.as_deref(), Some("an na"));
    assert_eq!(url.password.as_ref().map(|secret| secret.expose_secret()), Some("p@ss/w#?%"));
    assert_eq!(url.to_string(), "postgres://an%20na:****@db:5432/app");
    assert!(!format!("{url:?}").contains("p@ss"), "{url:?}");
    let url = postgres("postgres://db/app?user=me&password=hidden");
    assert_eq!(url.to_string(), "postgres://me:****@db:5432/app");
    assert_eq!(
        postgres("postgres://[::1]:7/app?sslmode=require").to_string(),
        "postgres://[::1]:7/app?sslmode=require"
    );
}

#[test]
fn certificates_are_checked_or_the_url_is_refused() {
    assert!(refusal("postgres://db/app?sslmode=verify-full").contains("needs sslrootcert"));
    assert!(refusal("postgres://db/app?sslmode=require&sslrootcert=system").contains("verify-full"));
    let url = postgres("postgres://db/app?sslmode=verify-full&sslrootcert=system");
    assert_eq!(url.ssl_root_cert, Some(SslRootCert::System));
    assert!(refusal("postgres://db/app?sslcert=a.pem").contains("together"));
}

#[test]
fn a_broken_url_is_refused_without_a_word_of_its_values() {
    for broken in [
        "postgres://u:s3cretX@127.0.0.1:54x/x",
        "postgres://u:p#w/s3cretX@127.0.0.1/x",
        "postgres://u:p@ss:s3cretX?x@127.0.0.1/x",
        "postgres://u:p/s3cretX@127.0.0.1/x",
        "postgres://u:s3cretX %@127.0.0.1/x",
        "postgres://u:s3cretX%zz@127.0.0.1/x",
        "postgres://u:s3cretX%ff@127.0.0.1/x",
        "postgres://s3cretX:notaport/x",
        "postgres://host:s3cretX",
        "postgres:u:s3cretX@h/x",
        "postgres://u:s3cretX@[::1/x",
        "postgres://u:s3cretX@::1/x",
        "postgres://u:s3cretX@h/x?sslmode=s3cretX",
        "postgres://u:s3cretX@h/x?passwort=s3cretX",
        "postgres://u:s3cretX@h/x?s3",
        "mysql://u:s3cretX@h",
        "mysql://u:s3cretX@h,i/x",
        "mysql://u:s3cretX@h/x?password=s3cretX",
        "mysql://u:s3cretX@h/x?ssl-mode=s3cretX",
        "oracle://u:s3cretX@h/x",
        "u:s3cretX@h/x",
        "sqlite://x?mode=s3cretX",
    ] {
        let refusal = refusal(broken);
        assert!(!refusal.contains(SECRET), "{refusal}");
        assert!(refusal.contains("database.url"), "{refusal}");
    }
}

#[test]
fn a_parameter_that_is_not_honored_is_refused_by_name() {
    assert!(
        refusal("postgres://h/x?sslmod=require")
            .contains("parameter sslmod that Cloakroom does not support; did you mean sslmode?")
    );
    assert!(refusal("postgres://h/x?load_balance_hosts=random").contains("load_balance_hosts"));
    assert!(refusal("mysql://h/x?allowLocalInfile=1").contains("allowLocalInfile"));
    assert!(refusal("sqlite://x?nolock=1").contains("nolock"));
    assert!(refusal("sqlite://x?mode=memory").contains("in-memory"));
    assert!(refusal("sqlite::memory:").contains("in-memory"));
    assert!(refusal("sqlite://x?nonsense=1").contains("nonsense"));
}

#[test]
fn sqlite_urls_name_a_file_and_whether_to_create_it() {
    let parse = |url: &str| match url.parse() {
        Ok(DatabaseUrl::Sqlite(url)) => (url.path.display().to_string(), url.create),
        other => panic!("{url}: {other:?}"),
    };
    assert_eq!(parse("sqlite:///var/lib/a%20b.db"), ("/var/lib/a b.db".to_owned(), true));
    assert_eq!(parse("sqlite://data/x.db?mode=rw"), ("data/x.db".to_owned(), false));
    assert_eq!(parse("sqlite:x.db?mode=rwc&cache=private"), ("x.db".to_owned(), true));
}

#[test]
fn mysql_urls_name_one_host_and_a_database() {
    let parse = |url: &str| match url.parse() {
        Ok(DatabaseUrl::Mysql(url)) => url,
        other => panic!("{url}: {other:?}"),
    };
    let url = parse("mariadb://root@127.0.0.1:3307/test?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem");
    assert_eq!((url.endpoint.clone(), url.database.as_str()), (tcp("127.0.0.1", 3307), "test"));
    assert_eq!(url.to_string(), "mariadb://root@127.0.0.1:3307/test?ssl-mode=VERIFY_CA");
    assert_eq!(parse("mysql://h/x?ssl-ca=/ca.pem").ssl_mode, MysqlSslMode::VerifyCa);
    assert_eq!(parse("mysql://h/x?socket=/run/m.sock").endpoint.host, Host::Unix("/run/m.sock".to_owned()));
    assert_eq!(parse("mysql://[::1]/x").endpoint, tcp("::1", 3306));
}

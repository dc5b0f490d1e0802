//! The table of driver errors: each code, and its consequence for the caller.

use std::io::{self, ErrorKind};

use super::*;

/// The consequence of an error for the caller.
#[derive(Debug, PartialEq, Eq)]
enum Consequence {
    /// UNAVAILABLE, with this part in the message and in `Retry-After` the seconds.
    NotDone(Dependency, u32),
    Bug,
}

use Consequence::{Bug, NotDone};

const DATABASE: Consequence = NotDone(Dependency::Database, RETRY_AFTER_SECONDS);
const DATABASE_SOON: Consequence = NotDone(Dependency::Database, 1);
const DISK: Consequence = NotDone(Dependency::Disk, RETRY_AFTER_FULL_SECONDS);

/// The consequence before the commit, and whether a commit that failed so may have taken effect.
fn consequence(failure: Failure) -> (Consequence, bool) {
    let before_commit = failure.refusal().map_or(Bug, |(dependency, seconds)| NotDone(dependency, seconds));
    (before_commit, failure.is_unknown_at_commit())
}

#[test]
fn each_sqlstate_of_postgresql_has_its_consequence() {
    for (code, expected) in [
        ("40001", (DATABASE_SOON, false)),
        ("40P01", (DATABASE_SOON, false)),
        ("55P03", (DATABASE_SOON, false)),
        ("57014", (DATABASE_SOON, false)),
        ("57P01", (DATABASE_SOON, false)),
        ("57P02", (DATABASE_SOON, false)),
        ("57P05", (DATABASE_SOON, false)),
        ("25P03", (DATABASE_SOON, false)),
        ("57P03", (DATABASE, false)),
        ("25006", (DATABASE, false)),
        ("53300", (DATABASE, false)),
        ("53100", (DISK, false)),
        ("53200", (DISK, false)),
        ("53400", (DISK, false)),
        ("58030", (DISK, false)),
        ("40003", (DATABASE, true)),
        ("08007", (DATABASE, true)),
        ("08003", (DATABASE, true)),
        ("08006", (DATABASE, true)),
        ("08P01", (DATABASE, true)),
        ("23505", (Bug, false)),
        ("42601", (Bug, false)),
        ("42501", (Bug, false)),
        ("XX000", (Bug, false)),
    ] {
        assert_eq!(consequence(of_sqlstate(code)), expected, "{code}");
    }
}

#[test]
fn each_error_number_of_mariadb_and_mysql_has_its_consequence() {
    for (numbers, expected) in [
        (&[1020, 1213, 1205, 1317, 1969, 3024][..], (DATABASE_SOON, false)),
        (&[1021, 1024, 1026, 1030, 1037, 1038, 1041, 1114, 1135, 1206, 1637, 1878], (DISK, false)),
        (&[1290, 1792, 1836, 1874, 1040, 1203, 1226, 1047], (DATABASE, false)),
        (&[1053, 1158, 1159, 1160, 1161, 1927, 4031, 1180], (DATABASE, true)),
        (&[1062, 1064, 1146, 1142], (Bug, false)),
    ] {
        for number in numbers {
            assert_eq!(consequence(of_mysql_number(*number, Some("HY000"))), expected, "{number}");
        }
    }
    assert_eq!(consequence(of_mysql_number(9999, Some("40001"))), (DATABASE_SOON, false));
    assert_eq!(consequence(of_mysql_number(9999, Some("08S01"))), (DATABASE, true));
}

#[test]
fn each_result_code_of_sqlite_has_its_consequence() {
    let extended = |code: i32, detail: i32| code | (detail << 8);
    for (code, expected) in [
        (5, (DATABASE_SOON, false)),
        (extended(5, 2), (DATABASE_SOON, false)),
        (6, (DATABASE_SOON, false)),
        (9, (DATABASE_SOON, false)),
        (15, (DATABASE_SOON, false)),
        (7, (DISK, false)),
        (8, (DISK, false)),
        (extended(8, 4), (DISK, false)),
        (10, (DISK, false)),
        (extended(10, 3), (DISK, false)),
        (13, (DISK, false)),
        (14, (DISK, false)),
        (extended(10, 4), (DATABASE, true)),
        (extended(10, 5), (DATABASE, true)),
        (1, (Bug, false)),
        (11, (Bug, false)),
        (19, (Bug, false)),
        (26, (Bug, false)),
    ] {
        assert_eq!(consequence(of_sqlite_code(Some(code))), expected, "{code}");
    }
}

#[test]
fn each_error_of_the_connection_has_its_consequence() {
    let of = |kind: ErrorKind| consequence(Failure::of_driver(&sqlx::Error::Io(io::Error::new(kind, "x"))));
    for kind in [ErrorKind::ConnectionRefused, ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable] {
        assert_eq!(of(kind), (DATABASE, false), "{kind}");
    }
    for kind in [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof, ErrorKind::TimedOut] {
        assert_eq!(of(kind), (DATABASE, true), "{kind}");
    }
    let protocol = sqlx::Error::Protocol("unexpected response from SSLRequest".to_owned());
    assert_eq!(consequence(Failure::of_driver(&protocol)), (DATABASE, true));
    assert_eq!(
        consequence(Failure::of_driver(&sqlx::Error::Tls("certificate verify failed".into()))),
        (DATABASE, true)
    );
}

#[test]
fn a_connection_that_cannot_be_opened_did_nothing() {
    let refused = || DbErr::Conn(RuntimeErr::SqlxError(sqlx::Error::Configuration("no password".into()).into()));
    assert!(matches!(
        Error::from(refused()),
        Error::DependencyUnavailable { dependency: Dependency::Database, retry_after_seconds: RETRY_AFTER_SECONDS, .. }
    ));
    let busy = Error::from(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
    assert!(matches!(busy, Error::Unavailable { retry_after_seconds: 1 }));
    assert!(matches!(Error::from(DbErr::Type("x".to_owned())), Error::Internal(_)));
}

//! Hashes that other software made, and what is none.

use super::*;

/// What passlib 1.7, argon2-cffi 25, bcrypt 5, Django 5 and Werkzeug 3 made of this.
const PASSWORD: &str = "pâssword Å";
const VECTORS: [&str; 14] = [
    "$argon2id$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$VOblE2PfeYNSTadfwuakbuJHY0hue1GK5E8pA54B1mY",
    "$argon2id$v=16$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$KfhLxb7Om62nQsyhF8IIqRiG9uZFy9SKvkMSHA2QeVE",
    "$argon2i$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$qWe+dowES1oK9kVotIbj6irrQUzoUaDIrXHJIVtHmrE",
    // Without its version, which is 16 then.
    "$argon2i$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$+xuZiNveOUkF4n/fOUCgL7mgsBQlhS/2YVh/K6aVUeg",
    "$argon2d$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$ZScaq0qiYTHpBnfWyGrlT0pEHLvedpOMX2+pY99t6UQ",
    "$argon2d$v=16$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$t0d5IgkwtvwRTwk5d+HjrD+DaAHHwGHBUcsxuqDPCps",
    "$argon2id$v=19$m=64,t=1,p=1$Sa2dLOtHvH4$Hrf2fqymsUj341tdxnsdCQ",
    "$2a$04$jso3XogGM/Xrwl5OLETtBO5Z2r9ZN0dFo7/ydDJixskArK/MjnhKy",
    "$2b$04$BjONp/rvj.G2UstdGDCIte/FH28/0rOFIJPmL4bJ1tHUfOBXHYISS",
    "$2y$04$QywbyrJtmZ1mdyUnmULzd.Uy5pgW4yZ8v1IBNRx5cHZb/rAjxO.rS",
    "$pbkdf2-sha256$1200$....LXNpeHRlZW4tYnl0ZQ$FCGFZmO4ZahMRyLMHzoU60eBtHoIVwefO6GAyFbxNXs",
    "$pbkdf2-sha256$i=1200,l=32$c2l4dGVlbiBieXRlIHNsdA$y+STdRcCISwqTAUdzd1biS0udabW7nm6cEU3qsc63qQ",
    "pbkdf2_sha256$1200$NaClNaClNaClNaClNaCl22$e8ENcp9DWtXqzXYNRs+nvKP3OBSKVPzroXnLtLmJFMI=",
    "pbkdf2:sha256:1200$DQoq4lOqrbq05rcR$f36a507b9b689642a5aedcaa685a53c7b978b8fdedc37fb6e5ae95dc63031548",
];

fn is_of(hash: &str, password: &[u8]) -> bool {
    let stored = StoredHash::parse(hash).expect("a hash that is read");
    stored.is_of(password, &mut Memory::default()).expect("a hash that is computed")
}

#[test]
fn hashes_from_elsewhere_match_their_password_and_no_other() {
    for hash in VECTORS {
        assert_eq!(check_importable(hash), Ok(()), "{hash}");
        assert!(is_of(hash, PASSWORD.as_bytes()), "{hash}");
        assert!(!is_of(hash, b"password A"), "{hash}");
        assert!(!is_of(hash, b""), "{hash}");
    }
}

#[test]
fn bcrypt_looks_at_72_bytes_as_everywhere() {
    let hash = "$2b$04$/2gATx2h5Yx6r8tZK4ZcjOMcge6fYHu2rXl760nD8hsubQTLrTIea";
    assert!(is_of(hash, &[b'a'; 72]) && is_of(hash, &[b'a'; 1024]));
    assert!(!is_of(hash, &[b'a'; 71]));
}

#[test]
fn a_hash_with_another_last_character_is_of_another_password() {
    for hash in VECTORS {
        // Not the very last one, which holds bits that count for nothing.
        let at = hash.trim_end_matches('=').len() - 3;
        let other = if hash[at..].starts_with('1') { "2" } else { "1" };
        let changed = format!("{}{other}{}", &hash[..at], &hash[at + 1..]);
        assert!(!is_of(&changed, PASSWORD.as_bytes()), "{changed}");
    }
}

#[test]
fn what_costs_too_much_is_refused() {
    let argon2 = |m: u32, t: u32| format!("$argon2id$v=19$m={m},t={t},p=1$c2l4dGVlbiBieXRlIHNhbHQ${}", "A".repeat(43));
    let bcrypt = |cost: u32| format!("$2b${cost:02}${}", ".".repeat(53));
    let pbkdf2 = |iterations: u64| format!("pbkdf2:sha256:{iterations}$salt${}", "0".repeat(64));
    for good in [argon2(1 << 20, 4), argon2(65_536, 64), bcrypt(4), bcrypt(15), pbkdf2(1), pbkdf2(10_000_000)] {
        assert_eq!(check_importable(&good), Ok(()), "{good}");
    }
    let costly = [argon2((1 << 20) + 1, 1), argon2(8, 65), argon2(1 << 20, 5), bcrypt(16), bcrypt(31)];
    for costly in costly.into_iter().chain([pbkdf2(10_000_001), pbkdf2(1 << 40)]) {
        assert_eq!(check_importable(&costly), Err(TOO_COSTLY), "{costly}");
    }
}

#[test]
fn what_is_malformed_is_refused_wherever_it_is_cut_off() {
    for hash in VECTORS {
        for end in 0..hash.len() {
            let cut = &hash[..end];
            // Argon2 and PBKDF2 may have been asked for as little as 16 bytes, 22 characters in Base64.
            let short = hash.rfind('$').is_some_and(|key| end <= key + 21);
            let fixed = hash.starts_with("$2") || hash.contains("l=32");
            assert!(check_importable(cut).is_err() || !(short || fixed), "{cut}");
        }
        assert!(check_importable(&format!("{hash}$")).is_err(), "{hash}$");
        assert!(check_importable(&format!(" {hash}")).is_err());
        assert!(check_importable(&format!("{hash}\u{e9}")).is_err(), "{hash}\u{e9}");
    }
    let zeros = "0".repeat(64);
    for malformed in [
        "",
        "$",
        "$$$",
        "correct horse battery",
        "$1$abcdefgh$0123456789012345678901",
        "$2x$04$QywbyrJtmZ1mdyUnmULzd.Uy5pgW4yZ8v1IBNRx5cHZb/rAjxO.rS",
        "$2b$03$QywbyrJtmZ1mdyUnmULzd.Uy5pgW4yZ8v1IBNRx5cHZb/rAjxO.rS",
        "$2b$+4$QywbyrJtmZ1mdyUnmULzd.Uy5pgW4yZ8v1IBNRx5cHZb/rAjxO.rS",
        "$argon2id$v=18$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ$VOblE2PfeYNSTadfwuakbuJHY0hue1GK5E8pA54B1mY",
        "$argon2id$v=19$m=256,t=0,p=2$c2l4dGVlbiBieXRlIHNhbHQ$VOblE2PfeYNSTadfwuakbuJHY0hue1GK5E8pA54B1mY",
        "$argon2id$v=19$m=256,t=2,p=2,keyid=AAAA$c2l4dGVlbiBieXRlIHNhbHQ$VOblE2PfeYNSTadfwuakbuJHY0hue1GK5E8pA54B1mY",
        "$argon2id$v=19$m=256,t=2,p=2$c2l4dGVlbiBieXRlIHNhbHQ",
        "$pbkdf2-sha256$i=1200,l=31$c2l4dGVlbiBieXRlIHNsdA$y+STdRcCISwqTAUdzd1biS0udabW7nm6cEU3qsc63qQ",
        "$pbkdf2-sha256$i=1200,x=1$c2l4dGVlbiBieXRlIHNsdA$y+STdRcCISwqTAUdzd1biS0udabW7nm6cEU3qsc63qQ",
        "$pbkdf2-sha512$1200$....LXNpeHRlZW4tYnl0ZQ$FCGFZmO4ZahMRyLMHzoU60eBtHoIVwefO6GAyFbxNXs",
        &format!("pbkdf2:sha1:1200$salt${zeros}"),
        &format!("pbkdf2:sha256$salt${zeros}"),
        &format!("pbkdf2:sha256:+1200$salt${zeros}"),
        &format!("pbkdf2:sha256:-1$salt${zeros}"),
        &format!("pbkdf2:sha256:0$salt${zeros}"),
        &format!("pbkdf2:sha256:1200$${zeros}"),
        &format!("pbkdf2:sha256:1200$salt$0{zeros}"),
        &format!("pbkdf2:sha256:1200$salt$g{zeros}"),
        &format!("pbkdf2:sha256:1200$salt${zeros}{zeros}{zeros}"),
        &"$".repeat(100_000),
    ] {
        assert!(check_importable(malformed).is_err(), "{malformed}");
    }
}

#[test]
fn only_todays_parameters_and_higher_ones_are_up_to_date() {
    let up_to_date = |hash: &str, m, t| {
        let today = Params::new(m, t, 1, None).expect("parameters");
        StoredHash::parse(hash).expect("a hash that is read").is_up_to_date(&today)
    };
    let ours = VECTORS[0];
    assert!(up_to_date(ours, 256, 2) && up_to_date(ours, 64, 1));
    assert!(!up_to_date(ours, 257, 2) && !up_to_date(ours, 256, 3));
    for elsewhere in &VECTORS[1..] {
        assert!(!up_to_date(elsewhere, 8, 1), "{elsewhere}");
    }
}

#[test]
fn a_hash_of_earlier_parameters_is_made_up_to_the_work_of_today() {
    let today = Params::new(19_456, 2, 1, None).expect("parameters");
    let missing = |hash: &str| {
        let stored = StoredHash::parse(hash).expect("a hash that is read");
        stored.missing_work(&today).map(|argon2| work(argon2.params()))
    };
    assert_eq!(missing(VECTORS[0]), Some(19_456 * 2 - 256 * 2));
    assert_eq!(missing(VECTORS[7]), None, "bcrypt takes its own time");
    let nobodys = StoredHash::nobodys(&Argon2::new(Algorithm::Argon2id, Version::V0x13, today.clone()));
    let nobodys = StoredHash::parse(&nobodys.expect("random bytes")).expect("a hash");
    assert!(nobodys.missing_work(&today).is_none());
}

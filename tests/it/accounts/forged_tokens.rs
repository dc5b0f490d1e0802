//! Access tokens that were not signed by the server, or whose header would have it believe otherwise
//! (J1, J2, J9; RFC 8725).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use super::forger::{Forger, assert_refused, assert_taken, encode, signed_by};

/// Without it the refusals below would say nothing.
#[tokio::test]
async fn a_token_signed_anew_with_the_servers_key_is_taken() {
    let (test, forger) = Forger::start().await;
    assert_taken(&test, &forger.token()).await;
    assert_taken(&test, &forger.with_claim("jti", json!("0199f3d2-c1a4-7c0e-8d2f-6a5b4c3d2e1f"))).await;
}

#[tokio::test]
async fn alg_none_is_refused() {
    let (test, forger) = Forger::start().await;
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let mut header = forger.header.clone();
        header["alg"] = json!(none);
        assert_refused(&test, &signed_by(&header, &forger.claims, |_| Vec::new())).await;
        assert_refused(
            &test,
            &signed_by(&header, &forger.claims, |message| forger.key.sign(message).as_ref().to_vec()),
        )
        .await;
    }
    assert_refused(&test, &forger.with_header("alg", Value::Null)).await;
    assert_refused(&test, &signed_by(&forger.header, &forger.claims, |_| Vec::new())).await;
    let token = forger.token();
    let (unsigned, _) = token.rsplit_once('.').expect("three parts");
    assert_refused(&test, unsigned).await;
}

/// The public key is no secret, so it must not be taken for one.
#[tokio::test]
async fn an_hmac_with_the_public_key_as_its_secret_is_refused() {
    let (test, forger) = Forger::start().await;
    let raw = forger.public_key().to_vec();
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend_from_slice(&raw);
    let jwks = test.anonymous().get("/.well-known/jwks.json").await.body;
    let x = encode(&raw).into_bytes();
    let secrets = [raw, der, x, jwks["keys"][0].to_string().into_bytes(), jwks.to_string().into_bytes(), Vec::new()];
    for secret in secrets {
        for (name, algorithm) in
            [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
        {
            let mut header = forger.header.clone();
            header["alg"] = json!(name);
            let key = hmac::Key::new(algorithm, &secret);
            let sign = |message: &[u8]| hmac::sign(&key, message).as_ref().to_vec();
            assert_refused(&test, &signed_by(&header, &forger.claims, sign)).await;
            // The same with the algorithm that is expected in the header.
            assert_refused(&test, &signed_by(&forger.header, &forger.claims, sign)).await;
        }
    }
}

#[tokio::test]
async fn another_alg_in_the_header_is_refused_even_if_the_signature_is_good() {
    let (test, forger) = Forger::start().await;
    for alg in ["HS256", "RS256", "PS256", "ES256", "ES512", "Ed25519", "eddsa", "unknown"] {
        assert_refused(&test, &forger.with_header("alg", json!(alg))).await;
    }
    assert_refused(&test, &forger.with_header("alg", json!(["EdDSA"]))).await;
}

#[tokio::test]
async fn a_foreign_kid_is_refused_and_names_no_file() {
    let (test, forger) = Forger::start().await;
    let kid = forger.header["kid"].as_str().expect("a kid");
    let foreign = [
        "",
        "foreign",
        "0192f3d2-c1a4-7c0e-8d2f-6a5b4c3d2e1f",
        "../../../../dev/null",
        "/dev/null",
        "' OR 1=1 --",
        "a\0b",
        &kid.to_uppercase(),
        &format!("../keys/{kid}"),
        &format!("{kid}.json"),
        &"k".repeat(1000),
    ]
    .map(|kid| json!(kid));
    for kid in foreign.into_iter().chain([json!(1), json!([kid]), json!({ "kid": kid })]) {
        assert_refused(&test, &forger.with_header("kid", kid)).await;
    }
}

#[tokio::test]
async fn a_missing_kid_is_refused() {
    let (test, forger) = Forger::start().await;
    assert_refused(&test, &forger.with_header("kid", Value::Null)).await;
}

/// J2: the attacker's own key, offered in every way in which a header can offer one.
#[tokio::test]
async fn a_key_that_the_token_brings_along_is_not_used() {
    let (test, forger) = Forger::start().await;
    let own = Ed25519KeyPair::generate().expect("a key");
    let x = encode(aws_lc_rs::signature::KeyPair::public_key(&own).as_ref());
    let kid = forger.header["kid"].clone();
    // Nobody listens there; a server that asked would answer late or with 5xx.
    let elsewhere = "http://127.0.0.1:9/jwks.json";
    for (name, value) in [
        ("jwk", json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x })),
        ("jku", json!(elsewhere)),
        ("x5u", json!(elsewhere)),
        ("x5c", json!([x])),
        ("x5t", json!(x)),
    ] {
        let mut header = forger.header.clone();
        header[name] = value;
        let sign = |message: &[u8]| own.sign(message).as_ref().to_vec();
        assert_refused(&test, &signed_by(&header, &forger.claims, sign)).await;
    }
}

/// RFC 7515, section 4.1.11.
#[tokio::test]
async fn an_extension_that_must_be_understood_ends_it() {
    let (test, forger) = Forger::start().await;
    for crit in [json!(["b64"]), json!(["exp"]), json!(["x"]), json!([]), json!("b64"), json!(1)] {
        assert_refused(&test, &forger.with_header("crit", crit)).await;
    }
}

/// RFC 7797: with `b64: false` the signature is over other bytes than those that are read.
#[tokio::test]
async fn an_unencoded_payload_is_refused() {
    let (test, forger) = Forger::start().await;
    for b64 in [json!(false), json!(0), json!("false"), json!([])] {
        assert_refused(&test, &forger.with_header("b64", b64.clone())).await;
        let mut header = forger.header.clone();
        (header["b64"], header["crit"]) = (b64, json!(["b64"]));
        let sign = |message: &[u8]| forger.key.sign(message).as_ref().to_vec();
        assert_refused(&test, &signed_by(&header, &forger.claims, sign)).await;
    }
    let mut header = forger.header.clone();
    (header["b64"], header["crit"]) = (json!(true), json!(["b64"]));
    let sign = |message: &[u8]| forger.key.sign(message).as_ref().to_vec();
    assert_refused(&test, &signed_by(&header, &forger.claims, sign)).await;
}

/// A check that is skipped for a value of another type would take it.
#[tokio::test]
async fn a_claim_of_another_type_is_no_way_around_its_check() {
    let (test, forger) = Forger::start().await;
    for claim in ["iss", "aud", "sub", "sid"] {
        let good = forger.claims[claim].clone();
        for value in [
            json!(1234),
            json!(42.0),
            json!(true),
            json!([]),
            json!({}),
            json!([good]),
            json!([good, "elsewhere"]),
            json!([[good]]),
            json!({ "0": good }),
            json!({ "eq": good }),
        ] {
            assert_refused(&test, &forger.with_claim(claim, value)).await;
        }
    }
}

#[tokio::test]
async fn a_claim_that_is_there_twice_is_refused() {
    let (test, forger) = Forger::start().await;
    let claims = forger.claims.to_string();
    for (claim, value) in [("exp", "4102444800"), ("iss", "\"elsewhere\""), ("sub", "\"usr_0\""), ("gen", "0")] {
        let twice = [claims.replacen('{', &format!("{{\"{claim}\":{value},"), 1), {
            let mut at_the_end = claims.clone();
            at_the_end.truncate(claims.len() - 1);
            format!("{at_the_end},\"{claim}\":{value}}}")
        }];
        for text in twice {
            let message = format!("{}.{}", encode(forger.header.to_string()), encode(text));
            let signature = encode(forger.key.sign(message.as_bytes()).as_ref());
            assert_refused(&test, &format!("{message}.{signature}")).await;
        }
    }
}

#[tokio::test]
async fn another_type_of_token_is_refused() {
    let (test, forger) = Forger::start().await;
    for typ in ["JWT", "jwt", "rt+jwt", "id+jwt", "logout+jwt", "", "at"] {
        assert_refused(&test, &forger.with_header("typ", json!(typ))).await;
    }
    assert_refused(&test, &forger.with_header("typ", Value::Null)).await;
    assert_refused(&test, &forger.with_header("typ", json!(["at+jwt"]))).await;
}

#[tokio::test]
async fn a_tampered_payload_is_refused() {
    let (test, forger) = Forger::start().await;
    let token = forger.token();
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    for (claim, value) in
        [("exp", json!(4_102_444_800_i64)), ("sub", json!("usr_0199f3d2c1a47c0e8d2f6a5b4c3d2e1f")), ("x", json!(1))]
    {
        let mut claims = forger.claims.clone();
        claims[claim] = value;
        assert_refused(&test, &format!("{header}.{}.{signature}", encode(claims.to_string()))).await;
    }
    assert_taken(&test, &token).await;
}

#[tokio::test]
async fn a_tampered_signature_is_refused() {
    let (test, forger) = Forger::start().await;
    let token = forger.token();
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    for place in [0, 1, 40, signature.len() - 1] {
        for other in ["A", "z"].into_iter().filter(|other| signature.get(place..=place) != Some(other)) {
            let mut tampered = signature.to_owned();
            tampered.replace_range(place..=place, other);
            assert_refused(&test, &format!("{message}.{tampered}")).await;
        }
    }
    let own = Ed25519KeyPair::generate().expect("a key");
    let sign = |message: &[u8]| own.sign(message).as_ref().to_vec();
    assert_refused(&test, &signed_by(&forger.header, &forger.claims, sign)).await;
    assert_taken(&test, &token).await;
}

/// One token has one spelling: nothing beside it is remembered, or taken for it.
#[tokio::test]
async fn other_spellings_of_a_good_token_are_refused() {
    let (test, forger) = Forger::start().await;
    let token = forger.token();
    assert_taken(&test, &token).await;
    for spelling in [
        format!("{token}="),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{token}"),
        format!("{token}A"),
        token.replace('.', ".."),
        token.replacen('.', " ", 1),
        format!("\"{token}\""),
        format!("{token},{token}"),
        token.to_lowercase(),
    ] {
        assert_refused(&test, &spelling).await;
    }
}

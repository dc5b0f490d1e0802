//! People with rights, and programs with keys.

use cloakroom::accounts::user;
use cloakroom::id::UserId;

use super::{Caller, PASSWORD, TestApp};

impl TestApp {
    /// A new administrator, signed in.
    pub async fn admin(&self, username: &str) -> Caller {
        let admin = self.sign_up(username).await;
        self.promote(&admin, user::Role::Admin).await;
        admin
    }

    /// What somebody at the command line does to a role.
    pub async fn promote(&self, caller: &Caller, role: user::Role) {
        let id = UserId::parse(&caller.user_id().await);
        let set = self.app.accounts.set_role(&cloakroom::caller::Caller::operator(), id, role).await;
        assert!(set.is_ok(), "{set:?}");
    }

    /// Whoever has this name, signed in once more.
    pub async fn sign_in(&self, username: &str) -> Caller {
        self.sign_in_with(username, PASSWORD).await
    }

    /// The user with this name and password, signed in.
    pub async fn sign_in_with(&self, username: &str, password: &str) -> Caller {
        let login = format!(
            r#"mutation {{ login(input: {{ identifier: "{username}", password: "{password}" }})
               {{ tokens {{ accessToken }} }} }}"#
        );
        let reply = self.anonymous().run(&login).await;
        self.bearer(Some(reply.at("/data/login/tokens/accessToken").as_str().expect("a token")))
    }

    /// A program with a key of this owner's: `input` has the fields beside its password.
    pub async fn key_of(&self, owner: &Caller, input: &str) -> Caller {
        let name = if input.starts_with("name:") { "" } else { r#"name: "key","# };
        let create = format!(
            r#"mutation {{ createApiKey(input: {{ password: "correct horse battery", {name} {input} }}) {{ secret userErrors {{ code field }} }} }}"#
        );
        let reply = owner.run(&create).await;
        let secret = reply.at("/data/createApiKey/secret").as_str();
        self.bearer(Some(secret.unwrap_or_else(|| panic!("a key, not {}", reply.body))))
    }
}

impl Caller {
    /// The id of the user who calls.
    pub async fn user_id(&self) -> String {
        let reply = self.run("{ viewer { user { id } } }").await;
        reply.at("/data/viewer/user/id").as_str().unwrap_or_else(|| panic!("an id, not {}", reply.body)).to_owned()
    }

    /// Returns true if the token is rejected.
    pub async fn is_refused(&self) -> bool {
        let reply = self.run("{ viewer { __typename } }").await;
        (reply.status.as_u16(), reply.code()) == (401, "UNAUTHENTICATED")
    }
}

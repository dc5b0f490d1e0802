//! `node` and `nodes`: any object by its global id.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join;

use crate::accounts::Accounts;
use crate::accounts::graphql::{AccountEvent, Session, User};
use crate::caller::Caller;
use crate::counters::graphql::Counter;
use crate::error::Error;
use crate::id::{AccountEventId, ApiKeyId, CounterId, PhotoId, SessionId, UserId, ViewerId};
use crate::photos::graphql::Photo;
use crate::photos::{self, Photos};
use crate::schema::api_key::ApiKey;
use crate::schema::limits::MAX_NODES;
use crate::schema::loaders::Loaders;
use crate::schema::viewer::Viewer;

/// An object with a global id.
#[derive(Interface, Clone)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id: opaque, and good for `node`."))]
pub(super) enum Node {
    /// A person.
    User(User),
    /// The caller's own view.
    Viewer(Viewer),
    /// A session of the caller's.
    Session(Session),
    /// An API key of the caller's.
    ApiKey(ApiKey),
    /// An entry of the caller's audit log.
    AccountEvent(AccountEvent),
    /// A counter.
    Counter(Counter),
    /// A photo.
    Photo(Photo),
}

/// Which object an id stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum NodeId {
    User(UserId),
    Viewer(ViewerId),
    Session(SessionId),
    ApiKey(ApiKeyId),
    AccountEvent(AccountEventId),
    Counter(CounterId),
    Photo(PhotoId),
}

impl NodeId {
    fn parse(id: &ID) -> Result<Self, Error> {
        let known = UserId::parse(id).map(Self::User);
        let known = known.or_else(|| CounterId::parse(id).map(Self::Counter));
        let known = known.or_else(|| SessionId::parse(id).map(Self::Session));
        let known = known.or_else(|| ApiKeyId::parse(id).map(Self::ApiKey));
        let known = known.or_else(|| PhotoId::parse(id).map(Self::Photo));
        let known = known.or_else(|| ViewerId::parse(id).map(Self::Viewer));
        known
            .or_else(|| AccountEventId::parse(id).map(Self::AccountEvent))
            .ok_or_else(|| Error::BadInput("This is not an id that Cloakroom gave out.".to_owned()))
    }
}

/// An item of `nodes`: a node, null, or null with an error of its own.
type NodeItem = Option<Result<Node, Error>>;

/// Queries by id.
#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id; null when there is none, or it is not the caller's to see. UNAUTHENTICATED when
    /// nobody is signed in, FORBIDDEN for an API key without the scope, BAD_USER_INPUT for what is no id.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "A global id.")] id: ID) -> Option<Result<Node, Error>> {
        match load(ctx, &[id]).await {
            Ok(nodes) => nodes.into_iter().next().flatten(),
            Err(error) => Some(Err(error)),
        }
    }

    /// The objects with these ids, at most 100, in their order; null as for `node`. UNAUTHENTICATED when nobody is
    /// signed in, FORBIDDEN for an API key without the scope for one of them, BAD_USER_INPUT for too many ids, or in the
    /// place of what is no id.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids, at most 100.")] ids: Vec<ID>,
    ) -> Option<Result<Vec<NodeItem>, Error>> {
        if ids.len() > MAX_NODES {
            return Some(Err(Error::BadInput(format!("At most {MAX_NODES} ids can be asked for at once."))));
        }
        Some(load(ctx, &ids).await)
    }
}

/// One statement for each type, however many ids there are.
async fn load(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<NodeItem>, Error> {
    ctx.data_unchecked::<Caller>().user()?;
    let ids: Vec<Result<NodeId, Error>> = ids.iter().map(NodeId::parse).collect();
    let known: Vec<NodeId> = ids.iter().filter_map(|id| id.as_ref().ok().copied()).collect();
    let (shared, own) = try_join(load_shared(ctx, &known), load_own(ctx, &known)).await?;
    let found: HashMap<NodeId, Node> = shared.into_iter().chain(own).collect();
    let node = |id: Result<NodeId, Error>| match id {
        Ok(id) => found.get(&id).cloned().map(Ok),
        Err(error) => Some(Err(error)),
    };
    Ok(ids.into_iter().map(node).collect())
}

/// What other fields of the request may ask for as well.
async fn load_shared(ctx: &Context<'_>, ids: &[NodeId]) -> Result<Vec<(NodeId, Node)>, Error> {
    let loaders = ctx.data_unchecked::<Loaders>();
    let users = ids.iter().filter_map(|id| if let NodeId::User(id) = id { Some(*id) } else { None });
    let counters = ids.iter().filter_map(|id| if let NodeId::Counter(id) = id { Some(*id) } else { None });
    let (users, counters) = try_join(loaders.users().load_many(users), loaders.counters().load_many(counters)).await?;
    let users = users.into_iter().map(|(id, row)| (NodeId::User(id), User::from(row).into()));
    let counters = counters.into_iter().map(|(id, row)| (NodeId::Counter(id), Counter(row).into()));
    Ok(users.chain(counters).collect())
}

/// What is the caller's alone, and few.
async fn load_own(ctx: &Context<'_>, ids: &[NodeId]) -> Result<Vec<(NodeId, Node)>, Error> {
    let (accounts, caller) = (ctx.data_unchecked::<Arc<Accounts>>(), ctx.data_unchecked::<Caller>());
    let mut found: Vec<(NodeId, Node)> = Vec::new();
    let user = caller.user()?;
    let viewer = NodeId::Viewer(user.uuid().into());
    if ids.contains(&viewer) {
        found.push((viewer, Viewer(user).into()));
    }
    if ids.iter().any(|id| matches!(id, NodeId::Session(_))) {
        let sessions = accounts.list_sessions(caller).await?;
        found.extend(sessions.into_iter().map(|row| (NodeId::Session(row.id), Session(row).into())));
    }
    if ids.iter().any(|id| matches!(id, NodeId::ApiKey(_))) {
        let keys = accounts.list_api_keys(caller).await?;
        found.extend(keys.into_iter().map(|row| (NodeId::ApiKey(row.id), ApiKey(row).into())));
    }
    let events: Vec<_> =
        ids.iter().filter_map(|id| if let NodeId::AccountEvent(id) = id { Some(*id) } else { None }).collect();
    if !events.is_empty() {
        let events = accounts.list_events_by_ids(caller, &events).await?;
        found.extend(events.into_iter().map(|row| (NodeId::AccountEvent(row.id), AccountEvent(row).into())));
    }
    found.extend(load_photos(ctx, ids).await?);
    Ok(found)
}

async fn load_photos(ctx: &Context<'_>, ids: &[NodeId]) -> Result<Vec<(NodeId, Node)>, Error> {
    let (photos, caller) = (ctx.data_unchecked::<Arc<Photos>>(), ctx.data_unchecked::<Caller>());
    let ids: Vec<_> = ids.iter().filter_map(|id| if let NodeId::Photo(id) = id { Some(*id) } else { None }).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let (found, loaders) = (photos.list_by_ids(caller, &ids).await?, photos::loader::Loaders::new(photos, caller));
    Ok(found.into_iter().map(|row| (NodeId::Photo(row.id), Photo::new(row, &loaders).into())).collect())
}

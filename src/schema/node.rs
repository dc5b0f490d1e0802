//! `node` and `nodes`: any object by its global id.

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::try_join;

use crate::accounts::graphql::User;
use crate::caller::Caller;
use crate::counters::graphql::Counter;
use crate::error::Error;
use crate::id::{CounterId, UserId};
use crate::schema::limits::MAX_NODES;
use crate::schema::loaders::Loaders;

/// An object with a global id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Global id: opaque, and good for `node`."))]
pub(super) enum Node {
    /// A person.
    User(User),
    /// A counter.
    Counter(Counter),
}

/// Which object an id stands for.
#[derive(Clone, Copy)]
enum NodeId {
    User(UserId),
    Counter(CounterId),
}

impl NodeId {
    fn parse(id: &ID) -> Result<Self, Error> {
        let user = UserId::parse(id).map(Self::User);
        let counter = || CounterId::parse(id).map(Self::Counter);
        user.or_else(counter).ok_or_else(|| Error::BadInput("This is not an id that Cloakroom gave out.".to_owned()))
    }
}

/// Queries by id.
#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this id; null when there is none, or it is not the caller's to see. UNAUTHENTICATED when
    /// nobody is signed in, BAD_USER_INPUT for what is no id.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "A global id.")] id: ID) -> Option<Result<Node, Error>> {
        match load(ctx, &[id]).await {
            Ok(nodes) => nodes.into_iter().next().flatten(),
            Err(error) => Some(Err(error)),
        }
    }

    /// The objects with these ids, at most 100, in their order; null as for `node`. UNAUTHENTICATED when nobody is
    /// signed in, BAD_USER_INPUT for too many ids, or in the place of what is no id.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Result<Node, Error>>>, Error> {
        if ids.len() > MAX_NODES {
            return Err(Error::BadInput(format!("At most {MAX_NODES} ids can be asked for at once.")));
        }
        load(ctx, &ids).await
    }
}

/// One statement for each type, however many ids there are.
async fn load(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<Option<Result<Node, Error>>>, Error> {
    ctx.data_unchecked::<Caller>().user()?;
    let loaders = ctx.data_unchecked::<Loaders>();
    let ids: Vec<Result<NodeId, Error>> = ids.iter().map(NodeId::parse).collect();
    let known = || ids.iter().filter_map(|id| id.as_ref().ok());
    let users = known().filter_map(|id| if let NodeId::User(id) = id { Some(*id) } else { None });
    let counters = known().filter_map(|id| if let NodeId::Counter(id) = id { Some(*id) } else { None });
    let (users, counters) = try_join(loaders.users().load_many(users), loaders.counters().load_many(counters)).await?;
    let node = |id: Result<NodeId, Error>| match id {
        Ok(NodeId::User(id)) => users.get(&id).map(|user| Ok(User::from(user.clone()).into())),
        Ok(NodeId::Counter(id)) => counters.get(&id).map(|counter| Ok(Counter(counter.clone()).into())),
        Err(error) => Some(Err(error)),
    };
    Ok(ids.into_iter().map(node).collect())
}

//! Photos through the API: states, captions, lists, batches, quotas, and what becomes of their contents.

mod batches;
mod captions;
mod contents;
mod failing_fields;
mod filters;
mod leaving;
mod lists;
mod published;
mod quota;
mod races;
mod refusals;
mod rights;
mod statements;
mod states;
mod turns;
mod under_way;

use serde_json::Value;

use crate::support::Caller;

/// What a caller finds of the photo with this id, wherever there is something to find.
async fn found(caller: &Caller, id: &str) -> Value {
    let query = format!(
        "{{ photo(id: \"{id}\") {{ id }} node(id: \"{id}\") {{ id }} nodes(ids: [\"{id}\"]) {{ id }}
           photos {{ totalCount nodes {{ id }} edges {{ node {{ id }} }} }}
           byAuthor: photos(author: \"anna\") {{ totalCount nodes {{ id }} }}
           byTag: photos(tags: [\"sea\"], order: ASC, last: 5) {{ totalCount nodes {{ id }} }} }}"
    );
    caller.run(&query).await.data().clone()
}

/// Runs these at once, each in its own task.
async fn all<T: Send + 'static>(work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = work.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::with_capacity(tasks.len());
    for task in tasks {
        done.push(task.await.expect("it ends well"));
    }
    done
}

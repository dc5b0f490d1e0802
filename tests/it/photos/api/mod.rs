//! Photos through the API: states, captions, lists, batches, quotas, and what becomes of their contents.

mod batches;
mod captions;
mod contents;
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

use serde_json::Value;

use crate::support::{Caller, TestApp};

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

/// Every file in the folder of contents.
fn files(test: &TestApp) -> Vec<std::path::PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![test.data_dir().join("photos")]);
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    found
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

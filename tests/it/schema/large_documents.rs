//! The largest documents that a configuration allows: each is validated in a time that grows with its length.

use std::time::{Duration, Instant};

use documents::{Suggestions, TypeSystem, parse};

const TOKENS: usize = 20_000;
/// A hundredth of it is typical, optimized.
const LONGEST: Duration = Duration::from_secs(5);

fn numbered(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

#[test]
fn no_rule_takes_more_than_its_share_of_a_large_document() {
    let types = TypeSystem::new(&cloakroom::schema::types_sdl(), &[]).expect("a schema");
    let chain = numbered(1000, |number| format!("fragment F{number} on Query {{ ...F{} }}", number + 1));
    let variables = numbered(TOKENS / 9, |number| format!("$v{number}: ID! "));
    let usages = numbered(TOKENS / 9, |number| format!("$v{number} "));
    let (some, all) = (TOKENS / 25, TOKENS - 20);
    for document in [
        format!("{{ {} }}", "hello ".repeat(all)),
        format!("{{ {} }}", "nope ".repeat(all)),
        format!("{{ {} }} fragment F on Query {{ hello }}", "...F ".repeat(all)),
        format!("{{ {} }}", "node(id: 1) { ... on User { id } ... on Counter { id } id }".repeat(some)),
        format!("{{ viewer {{ counters {{ nodes {{ {} }} }} }} }}", "id current ".repeat(all / 2)),
        format!("{{ users({}) {{ totalCount }} }}", "first: 1 ".repeat(all / 3)),
        format!("{{ hello {} }}", "@skip(if: true) ".repeat(all / 6)),
        format!("{{ nodes(ids: [{}]) {{ id }} }}", "\"a\" ".repeat(all)),
        format!("mutation {{ next(input: {{ {} }}) {{ value }} }}", "count: 1 ".repeat(all / 3)),
        format!("query ({variables}) {{ nodes(ids: [{usages}]) {{ id }} }}"),
        format!("query ({variables}) {{ hello }}"),
        numbered(600, |number| format!("query Q{number} {{ ...F0 }}")) + &chain + "fragment F1000 on Query { hello }",
        "{ ...F0 }".to_owned() + &chain + "fragment F1000 on Query { ...F0 }",
    ] {
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let started = Instant::now();
            let parsed = parse(&document).expect("GraphQL");
            drop(types.validate(parsed, Suggestions::Given));
            best = best.min(started.elapsed());
            if best < LONGEST {
                break;
            }
        }
        assert!(best < LONGEST, "{best:?}: {}", document.chars().take(60).collect::<String>());
    }
}

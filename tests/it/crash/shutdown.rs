//! SIGTERM: what was accepted is finished and answered, then the server ends.

use super::load::Load;
use super::{Home, current};

const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_answers_every_request_that_it_accepted() {
    let home = Home::new().await;
    let mut process = home.start();
    let anna = process.sign_up("anna").await;
    let mut acknowledged = 0;
    for _ in 0..ROUNDS {
        let load = Load::new();
        let terminate = async {
            load.reached(100).await;
            process.signal("TERM");
        };
        let (ledger, ()) = tokio::join!(load.run(&process, &anna, 32), terminate);
        let status = process.wait();
        assert!(status.success(), "a clean end, not {status}");
        acknowledged += ledger.acknowledged();

        process = home.start();
        let taken = usize::try_from(current(&process, &anna).await).expect("a count");
        assert_eq!(taken, acknowledged, "numbers taken, and numbers answered");
    }
}

//! The allocator of the server, and the return of freed pages to the operating system.
//!
//! mimalloc keeps pages that were freed for a second, because they are often needed again. A picture takes up to 360 MiB
//! for a tenth of a second: with what was kept of the one before, the process would have twice as much. So whoever has
//! freed a picture calls [`return_freed_pages`] before the next one gets the memory.

pub use mimalloc::MiMalloc;

#[expect(
    unsafe_code,
    reason = "the one function of mimalloc that its crate does not offer; it may be called at any time"
)]
unsafe extern "C" {
    safe fn mi_collect(force: bool);
}

/// Returns all pages that this thread has freed, and those that any thread has freed a moment ago. It takes less than a
/// millisecond, and a millisecond for each 100 MiB.
pub fn return_freed_pages() {
    mi_collect(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: MiMalloc = MiMalloc;

    fn resident_mib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
        line.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() >> 10
    }

    #[test]
    fn freed_pages_are_returned_at_once() {
        for _ in 0..8 {
            let large = vec![1_u8; 64 << 20];
            let small: Vec<Vec<u8>> = (0..2048).map(|number| vec![1; 8192 + number % 7]).collect();
            assert!(resident_mib() > 64);
            drop((large, small));
            return_freed_pages();
            assert!(resident_mib() < 48, "{} MiB", resident_mib());
        }
    }
}

//! Waiting for what takes as long as the machine needs.

use std::time::{Duration, Instant};

/// Only what hangs takes longer.
pub const LIMIT: Duration = Duration::from_secs(300);
/// The pause between two attempts.
const EVERY: Duration = Duration::from_millis(20);

/// Waits until there is something, and returns it; fails with these words if there never is.
pub fn wait_for<T>(mut look: impl FnMut() -> Option<T>, otherwise: impl FnOnce() -> String) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        if began.elapsed() > LIMIT {
            panic!("{}", otherwise());
        }
        std::thread::sleep(EVERY);
    }
}

/// Waits until this holds; fails with these words if it never does.
pub fn wait_until(mut holds: impl FnMut() -> bool, otherwise: impl FnOnce() -> String) {
    wait_for(|| holds().then_some(()), otherwise);
}

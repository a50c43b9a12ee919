//! How many connections the checks of a drill hold at once, and work that spreads over those that are to spare.
//!
//! A permit is taken before its connection is made and kept as long as it is. A check that has the permits it
//! asked for at its beginning needs no further one in order to end, so no two checks wait for each other.

use std::sync::Mutex;

use futures_util::future::{BoxFuture, try_join, try_join_all};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::model::failure::Result;

/// The connections that checks share.
#[derive(Debug)]
pub struct Connections {
    permits: Semaphore,
    jobs: usize,
}

impl Connections {
    /// For checks that work on so many connections each.
    pub fn new(jobs: usize) -> Self {
        Self { permits: Semaphore::new(Self::most(jobs)), jobs: jobs.max(1) }
    }

    /// The most that are ever held: two checks that work on all of theirs, and hold a snapshot on one more each. Other
    /// checks run beside or after them.
    pub const fn most(jobs: usize) -> usize {
        let jobs = if jobs == 0 { 1 } else { jobs };
        2 * (jobs + 1)
    }

    /// Waits until so many connections may be made. They may stay open until the permit is dropped. Ask once, for all
    /// that are needed.
    pub async fn hold(&self, connections: usize) -> SemaphorePermit<'_> {
        let connections = connections.clamp(1, Self::most(self.jobs));
        let permits = u32::try_from(connections).unwrap_or(u32::MAX);
        self.permits.acquire_many(permits).await.expect("never closed")
    }

    /// Works on every item: on a connection for which the caller holds a permit, and on more where there are permits to
    /// spare. Results come in no order.
    pub(super) async fn spread<'a, C: Clone + Send, T: Send, R: Send>(
        &'a self,
        first: C,
        items: Vec<T>,
        connect: impl Fn() -> BoxFuture<'a, Result<C>> + Sync,
        work: impl Fn(C, T) -> BoxFuture<'static, Result<R>> + Sync,
    ) -> Result<Vec<R>> {
        let helpers = self.jobs.min(items.len()).saturating_sub(1);
        let queue = &Queue { items: Mutex::new(items.into_iter()), none_left: CancellationToken::new() };
        let (connect, work) = (&connect, &work);
        let drain = |connection: C, mut item: Option<T>| async move {
            let mut done = Vec::new();
            while let Some(one) = item {
                done.push(work(connection.clone(), one).await?);
                item = queue.next();
            }
            Ok(done)
        };
        let help = || async move {
            let _permit = tokio::select! {
                biased;
                () = queue.none_left.cancelled() => return Ok(Vec::new()),
                permit = self.hold(1) => permit,
            };
            // Only now, since most databases are done before a second connection would be made.
            match queue.next() {
                None => Ok(Vec::new()),
                item => drain(connect().await?, item).await,
            }
        };
        let helped = try_join_all((0..helpers).map(|_| help()));
        let (done, helped) = try_join(drain(first, queue.next()), helped).await?;
        Ok(done.into_iter().chain(helped.into_iter().flatten()).collect())
    }
}

/// Items that are still to be worked on.
struct Queue<T> {
    items: Mutex<std::vec::IntoIter<T>>,
    /// Ends the waiting of helpers: their caller holds a permit until they return, and other checks may wait for that
    /// permit.
    none_left: CancellationToken,
}

impl<T> Queue<T> {
    fn next(&self) -> Option<T> {
        let item = self.items.lock().expect("nothing panics while it is held").next();
        if item.is_none() {
            self.none_left.cancel();
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::model::codes;

    /// Connections that exist, and the most that ever did.
    #[derive(Default)]
    struct Server {
        open: AtomicUsize,
        peak: AtomicUsize,
    }

    struct Connection(Arc<Server>);

    impl Connection {
        fn open(server: &Arc<Server>) -> Arc<Self> {
            let open = server.open.fetch_add(1, Ordering::Relaxed) + 1;
            server.peak.fetch_max(open, Ordering::Relaxed);
            Arc::new(Self(Arc::clone(server)))
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            self.0.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Works on the items of one database, as a check does.
    async fn database(connections: &Connections, server: &Arc<Server>, items: usize) -> usize {
        let _permit = connections.hold(1).await;
        let first = Connection::open(server);
        let connect = || {
            let server = Arc::clone(server);
            async move { Ok(Connection::open(&server)) }.boxed()
        };
        let work = |connection: Arc<Connection>, _: usize| {
            async move {
                tokio::task::yield_now().await;
                drop(connection);
                Ok(())
            }
            .boxed()
        };
        connections.spread(first, (0..items).collect(), connect, work).await.unwrap().len()
    }

    #[tokio::test]
    async fn many_databases_and_checks_together_never_hold_more_than_there_are() {
        for jobs in [1, 2, 7] {
            let (connections, server) = (Connections::new(jobs), Arc::<Server>::default());
            let databases = (0..40).map(|number| database(&connections, &server, number));
            let greedy = (0..5).map(|_| async {
                let _permits = connections.hold(jobs + 1).await;
                let held: Vec<_> = (0..=jobs).map(|_| Connection::open(&server)).collect();
                tokio::task::yield_now().await;
                held.len()
            });
            let all = futures_util::future::join(
                futures_util::future::join_all(databases),
                futures_util::future::join_all(greedy),
            );
            let (done, _) = tokio::time::timeout(Duration::from_secs(60), all).await.expect("no deadlock");
            assert_eq!(done, (0..40).collect::<Vec<_>>());
            assert_eq!(server.peak.load(Ordering::Relaxed), Connections::most(jobs), "{jobs} jobs");
        }
    }

    #[tokio::test]
    async fn one_database_alone_is_worked_on_by_all_of_its_connections() {
        let (connections, server) = (Connections::new(4), Arc::<Server>::default());
        assert_eq!(database(&connections, &server, 100).await, 100);
        assert_eq!(server.peak.load(Ordering::Relaxed), 4);
        let few = Arc::<Server>::default();
        database(&connections, &few, 2).await;
        assert_eq!(few.peak.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_failure_ends_the_work() {
        let connections = Connections::new(2);
        let connect = || async { Ok("helper") }.boxed();
        let done = Arc::new(AtomicUsize::new(0));
        let work = |who: &'static str, _: u32| {
            let (failure, done) =
                (crate::model::failure::Failure::inconclusive(codes::QUERY_FAILED, who), Arc::clone(&done));
            async move {
                tokio::task::yield_now().await;
                done.fetch_add(1, Ordering::Relaxed);
                if who == "helper" { Err(failure) } else { Ok(()) }
            }
            .boxed()
        };
        let failure = connections.spread("first", (0..1000).collect(), connect, work).await.unwrap_err();
        assert_eq!((failure.code.as_str(), &*failure.message), ("query_failed", "helper"));
        assert!(done.load(Ordering::Relaxed) < 1000, "the rest is not worked on");
        let all = connections.hold(Connections::most(2)).now_or_never();
        assert!(all.is_some(), "every permit was given back");
    }
}

//! A wake-up call for one task of this thread.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// Rung by anybody, heard by one task. A ring that nobody waits for is kept; several count as one.
#[derive(Default)]
pub(super) struct Bell {
    rung: Cell<bool>,
    sleeper: Cell<Option<Waker>>,
}

impl Bell {
    /// Wakes the task, or keeps the ring for when it asks.
    pub(super) fn ring(&self) {
        self.rung.set(true);
        if let Some(sleeper) = self.sleeper.take() {
            sleeper.wake();
        }
    }

    /// Ready once for any number of rings since the last time.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rung.replace(false) {
            return Poll::Ready(());
        }
        self.sleeper.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Waits for a ring.
    pub(super) async fn heard(&self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn rings_are_kept_and_count_as_one() {
        let (count, bell) = (Arc::new(Count::default()), Bell::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        bell.ring();
        bell.ring();
        assert_eq!(bell.poll(&mut cx), Poll::Ready(()));
        assert_eq!(bell.poll(&mut cx), Poll::Pending);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        bell.ring();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(bell.poll(&mut cx), Poll::Ready(()));
    }
}

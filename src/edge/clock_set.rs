//! Wakes the server when somebody sets the wall clock: what waits for a time of day would sleep on until the
//! next event. An idle server whose time is trusted is woken by nothing else.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use smol::future::or;
use smol::{Async, Timer};

use super::hub::Hub;
use crate::limits::CLOCK_LOOK;
use crate::push::Event;
use crate::time::Basis;

/// Never ends.
pub(super) async fn run(hub: Rc<Hub>) {
    let alarm = alarm();
    if let Err(error) = &alarm {
        log::warn!("cannot hear of the clock being set: {error}");
    }
    loop {
        or(is_set(alarm.as_ref().ok()), may_have_settled(&hub)).await;
        hub.handle(Event::Tick);
    }
}

/// While nothing is trusted, doubts and hints come due without anybody setting the clock.
async fn may_have_settled(hub: &Hub) {
    if hub.clock.basis() != Basis::Nothing {
        return pending().await;
    }
    Timer::after(CLOCK_LOOK).await;
}

/// A timer at the end of all time, which Linux cancels when the wall clock is set.
fn alarm() -> io::Result<Async<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Realtime, flags)?;
    let second = |tv_sec| Timespec { tv_sec, tv_nsec: 0 };
    let never = Itimerspec {
        it_interval: second(0),
        it_value: second(i64::MAX),
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    timerfd_settime(&timer, flags, &never)?;
    Async::new_nonblocking(timer)
}

/// Waits until the wall clock has been set.
async fn is_set(alarm: Option<&Async<OwnedFd>>) {
    let Some(alarm) = alarm else {
        return pending().await;
    };
    if let Err(error) = alarm.readable().await {
        log::warn!("cannot hear of the clock being set: {error}");
        return pending().await;
    }
    // Reading it, whatever comes of that (ECANCELED as a rule), makes it ready for the next time.
    let _ = rustix::io::read(alarm.get_ref(), &mut [0; 8]);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_left_alone_wakes_nobody() {
        let alarm = alarm().unwrap();
        let woken = smol::block_on(or(
            async {
                is_set(Some(&alarm)).await;
                true
            },
            async {
                Timer::after(Duration::from_millis(20)).await;
                false
            },
        ));
        assert!(!woken);
        // Nothing has happened to it, so there is nothing to read.
        let read = rustix::io::read(alarm.get_ref(), &mut [0; 8]);
        assert_eq!(read, Err(rustix::io::Errno::AGAIN));
    }
}

//! The one timer: tells the gateway of time when it asked for that, and sleeps while it did not.

use std::rc::Rc;

use smol::Timer;
use smol::future::or;

use super::hub::Hub;
use crate::push::Event;

/// Never ends. An idle server has no deadline, so it is not woken.
pub(super) async fn run(hub: Rc<Hub>) {
    loop {
        let Some(due) = hub.next_tick() else {
            hub.rearmed().await;
            continue;
        };
        if due <= hub.now().mono {
            hub.handle(Event::Tick);
            // Whatever the gateway asks for next, others come first.
            smol::future::yield_now().await;
            continue;
        }
        let Some(moment) = hub.clock.moment(due) else {
            hub.rearmed().await;
            continue;
        };
        or(hub.rearmed(), async {
            Timer::at(moment).await;
        })
        .await;
    }
}

//! The stored form of deliveries: many in one row, because a row costs the database more than its bytes.

use super::fields::Fields;
use super::notification::{DeliveryState, NotificationId};
use super::row::VERSION;
use super::store::{Delivery, DeviceId};

/// Deliveries of one notification to 16 devices share a row, as entries in the order of the devices: the low
/// four bits of the device and the state in one byte, then four times of four bytes, which last until 2106.
pub type Entry = [u8; 17];

/// Bytes of an entry of version 1: the first byte, and one time in five.
const ENTRY_1: usize = 6;

/// The row of a device.
pub(super) fn block_of(device: DeviceId) -> u32 {
    device.0 >> 4
}

/// The entry of a delivery.
pub(super) fn of_delivery(delivery: &Delivery) -> Entry {
    let [_, _, _, device] = delivery.device.0.to_be_bytes();
    let at = u32::try_from(delivery.at).unwrap_or(u32::MAX);
    let times = [at, delivery.queued, delivery.sent, delivery.acknowledged];
    entry(device << 4 | delivery.state as u8, times)
}

fn entry(first: u8, times: [u32; 4]) -> Entry {
    let mut entry = [first; 17];
    if let Some(rest) = entry.last_chunk_mut::<16>() {
        let (bytes, _) = rest.as_chunks_mut();
        for (bytes, time) in bytes.iter_mut().zip(times) {
            *bytes = time.to_be_bytes();
        }
    }
    entry
}

/// The low bits of an entry's device.
#[must_use]
pub fn device_of([first, ..]: Entry) -> u8 {
    first >> 4
}

/// The entries a payload holds, or `None` if it is damaged.
pub(super) fn entries(payload: &[u8], version: u8) -> Option<Vec<Entry>> {
    let (entries, rest) = if version < 2 {
        let (old, rest) = payload.as_chunks::<ENTRY_1>();
        let newer = |[first, high, a, b, c, d]: &[u8; ENTRY_1]| {
            let at = if *high == 0 {
                u32::from_be_bytes([*a, *b, *c, *d])
            } else {
                u32::MAX
            };
            entry(*first, [at, 0, 0, 0])
        };
        (old.iter().map(newer).collect(), rest)
    } else {
        let (entries, rest) = payload.as_chunks();
        (entries.to_vec(), rest)
    };
    let rising = entries.is_sorted_by(|a, b| device_of(*a) < device_of(*b));
    (rising && rest.is_empty() && !entries.is_empty()).then_some(entries)
}

/// The delivery an entry means, or `None` if it is damaged.
pub(super) fn delivery(notification: NotificationId, block: u32, entry: Entry) -> Option<Delivery> {
    let (&first, times) = entry.split_first()?;
    let mut times = Fields::new(times, VERSION);
    Some(Delivery {
        notification,
        device: DeviceId(block.checked_mul(16)? | u32::from(device_of(entry))),
        state: DeliveryState::from_byte(first & 0x0f)?,
        at: u64::from(times.short()?),
        queued: times.short()?,
        sent: times.short()?,
        acknowledged: times.short()?,
    })
}

//! Events: numbered and written as one log record each.

use crate::access::fail;
use anchor_lang::Error;
use anchor_lang::sol_log_data;
use flagstone_interface::event::{
    DeficitRecognised, HoldEnded, OrderCancelled, OrderPending, OrderPlaced, Traded,
};
use flagstone_slab_engine::Slab;
use flagstone_slab_engine::requests::Placed;
use flagstone_units::Slot;

/// Expired holds that one instruction ends: more than it can make, and few
/// enough not to eat up the compute units of whoever comes next.
const EXPIRED_PER_INSTRUCTION: usize = 2;

/// Writes an event whose sequence number is set.
#[inline(always)]
pub fn write<T: bytemuck::Pod>(event: &T) {
    record(bytemuck::bytes_of(event));
}

/// Writes the bytes of an event.
#[inline(always)]
pub fn record(bytes: &[u8]) {
    sol_log_data(&[bytes]);
}

/// Numbers and writes the end of a hold.
#[inline(always)]
pub fn ended(slab: &mut Slab<'_>, mut event: HoldEnded) {
    event.seq = slab.next_seq();
    write(&event);
}

/// Several events on their way into one log record, which is cheaper than one
/// record each.
pub struct Record {
    used: usize,
    bytes: [u8; RECORD_BYTES],
}

/// Fits a stack frame together with the event of a trade.
const RECORD_BYTES: usize = 1024;

impl Record {
    /// An empty record.
    #[inline(always)]
    pub fn new() -> Self {
        Self {
            used: 0,
            bytes: [0; RECORD_BYTES],
        }
    }

    /// Appends an event; writes what has gathered before when it is full.
    #[inline(always)]
    pub fn append(&mut self, event: &[u8]) {
        if self.used + event.len() > RECORD_BYTES {
            self.flush();
        }
        match self.bytes.get_mut(self.used..self.used + event.len()) {
            Some(room) => {
                room.copy_from_slice(event);
                self.used += event.len();
            }
            None => record(event),
        }
    }

    /// Appends an event of fixed size.
    #[inline(always)]
    pub fn push<T: bytemuck::Pod>(&mut self, event: &T) {
        self.append(bytemuck::bytes_of(event));
    }

    /// Writes what has gathered.
    #[inline(never)]
    pub fn flush(&mut self) {
        if self.used > 0 {
            record(&self.bytes[..self.used]);
            self.used = 0;
        }
    }
}

/// Numbers what a placement did and appends it.
#[inline(always)]
pub fn placed(slab: &mut Slab<'_>, placed: &Placed, traded: &mut Traded, record: &mut Record) {
    for event in &placed.evicted.orders[..placed.evicted.count] {
        let mut event = *event;
        event.seq = slab.next_seq();
        record.push(&event);
    }
    if placed.traded {
        traded.seq = slab.next_seq();
        record.append(traded.as_bytes());
    }
    if let Some(mut event) = placed.rested {
        event.seq = slab.next_seq();
        if placed.batch_epoch == 0 {
            record.push(&event);
        } else {
            pending(&event, placed.batch_epoch, record);
        }
    }
}

/// Appends the event of an order that waits for a batch.
#[inline(never)]
fn pending(event: &OrderPlaced, batch_epoch: u32, record: &mut Record) {
    record.push(&OrderPending {
        tag: OrderPending::TAG,
        seq: event.seq,
        instrument: event.instrument,
        side: event.side,
        account: event.account,
        order: event.order,
        generation: event.generation,
        ticks: event.ticks,
        lots: event.lots,
        expiry_slot: event.expiry_slot,
        client_id: event.client_id,
        batch_epoch,
        reduce_only: event.reduce_only,
    });
}

/// Numbers and writes many cancellations.
pub fn all_cancelled(slab: &mut Slab<'_>, events: &[OrderCancelled]) {
    let mut record = Record::new();
    for event in events {
        let mut event = *event;
        event.seq = slab.next_seq();
        record.push(&event);
    }
    record.flush();
}

/// Lets a few expired holds go before anything is traded or reserved.
#[inline(always)]
pub fn expire_due(slab: &mut Slab<'_>, slot: Slot) -> Result<(), Error> {
    for _ in 0..EXPIRED_PER_INSTRUCTION {
        match slab.expire_next(slot).map_err(fail)? {
            Some(event) => ended(slab, event),
            None => break,
        }
    }
    Ok(())
}

/// The same, for an instruction whose earlier events still wait in `record`:
/// what is written has to be in the order of its numbers.
#[inline(never)]
pub fn expire_due_into(slab: &mut Slab<'_>, slot: Slot, record: &mut Record) -> Result<(), Error> {
    for _ in 0..EXPIRED_PER_INSTRUCTION {
        match slab.expire_next(slot).map_err(fail)? {
            Some(mut event) => {
                event.seq = slab.next_seq();
                record.push(&event);
            }
            None => break,
        }
    }
    Ok(())
}

/// Numbers and writes a cancellation.
#[inline(always)]
pub fn cancelled(slab: &mut Slab<'_>, mut event: OrderCancelled) {
    event.seq = slab.next_seq();
    write(&event);
}

/// Numbers and writes that a deficit was recognised, if one was.
#[inline(always)]
pub fn recognised(slab: &mut Slab<'_>, event: Option<DeficitRecognised>) {
    if let Some(mut event) = event {
        event.seq = slab.next_seq();
        write(&event);
    }
}

/// Numbers and writes a trade.
#[inline(always)]
pub fn traded(slab: &mut Slab<'_>, event: &mut Traded) {
    event.seq = slab.next_seq();
    record(event.as_bytes());
}

//! Replays of batches and of what they leave for the next.
//!
//! A batch's lists (assets, members' cells) are only hashed in its events, and
//! never change once set: they are taken from the account, and must hash to
//! what each event says. Lots that came from another batch are known by the
//! fill that bought them, which [`Origin`] finds in that batch's events.

use super::heads::part;
use super::replay::{compare, party, run};
use super::{Audited, DeskHistory, Reason, Recorded, fault, verify};
use crate::amounts::{Atoms, Quantity};
use crate::batch::{
    ASSETS_MAX, Batch, BatchEvent, BatchLot, BatchMoved, BatchSize, BatchState, OrderBatch,
    Standing,
};
use crate::carry::{Carry, CarryOver, transfer};
use crate::chain::{Event, Journal, Sha256};
use crate::engage::{AssetOrder, BatchPlan, Share};
use crate::members::{BatchFill, LINES_MAX, Line, LotsTaken};
use crate::roles::{Desk, Limits, Party, Role};
use crate::{IndexError, Result};
use bytemuck::{Zeroable, cast_slice, pod_read_unaligned};
use flagstone_interface::Key;
use flagstone_units::Slot;

/// The lot that a fill of an asset made, as it was when it was bought: the
/// asset's label and the number of the fill.
pub type Origin<'a> = &'a dyn Fn(u64, u64) -> Option<BatchLot>;

/// The fixed part of a batch's event, whether a list follows it or not.
fn moved(event: &Recorded) -> Option<BatchMoved> {
    match event.head.tag {
        LotsTaken::TAG => event.body::<LotsTaken>().map(|taken| taken.0),
        _ => event.body::<BatchMoved>(),
    }
}

/// Replays a batch and compares it with its account: members and their frozen
/// fractions, which sum to at most one; fills within what was ordered; lots
/// given to members by their fractions, to the atom; what was carried over.
///
/// `account` is an 8-aligned copy, `scratch` 8-aligned room of twice its length.
/// Returns `false` for a batch that was closed: its lists are gone, so that
/// only its chain and its end could be checked.
///
/// # Errors
/// As [`verify`], and the first event that the engine does not reproduce.
pub fn batch(
    account: &mut [u8],
    scratch: &mut [u8],
    desk: &DeskHistory,
    events: &[&[u8]],
    origin: Origin,
    sha256: Sha256,
) -> Audited<bool> {
    let Some(head) = account.get(..size_of::<OrderBatch>()) else {
        return fault(0, Reason::AccountDiffers);
    };
    let head: OrderBatch = pod_read_unaligned(head);
    verify(&head.chain, events.iter().copied(), sha256)?;
    if account.len() == size_of::<OrderBatch>() {
        return closed(&head, events);
    }
    let length = account.len();
    let Some((work, spare)) = scratch.split_at_mut_checked(length) else {
        return fault(0, Reason::AccountDiffers);
    };
    let Some(spare) = spare.get_mut(..length) else {
        return fault(0, Reason::AccountDiffers);
    };
    let Ok(found) = Batch::open(account) else {
        return fault(0, Reason::AccountDiffers);
    };
    let replay = Replay {
        found,
        desk: desk.address(),
        events,
        origin,
        sha256,
    };
    for (at, bytes) in events.iter().enumerate() {
        let number = at as u64 + 1;
        let event = Recorded::parse(bytes);
        let Some((event, moved)) = event.and_then(|e| Some((e, moved(&e)?))) else {
            return fault(number, Reason::NotAnEvent);
        };
        let party = party(&event, desk)?;
        spare.copy_from_slice(work);
        // As a rule there is one set of limits; within a slot there may be several.
        // The deadline comes of limits too, and no event tells it: the set counts
        // that leads to the account's.
        let mut tried = |exact: bool| {
            let mut limits = desk.limits(event.head.slot);
            limits.any(|limits| {
                work.copy_from_slice(spare);
                let step = Step {
                    at,
                    moved: &moved,
                    party: &party,
                    limits: &limits,
                };
                let again = |journal: &mut Journal| replay.again(work, &step, journal);
                let done = run(&events[at..=at], &event, sha256, again).is_ok();
                done && (!exact || deadline(work).is_none_or(|slot| slot == head.deadline_slot))
            })
        };
        if !tried(true) && !tried(false) {
            return fault(number, Reason::NotReproduced);
        }
    }
    compare(work, account, head.chain.sequence).map(|()| true)
}

/// Deadline of the batch that is being replayed, once it has one.
fn deadline(work: &[u8]) -> Option<Slot> {
    let bytes = work.get(..size_of::<OrderBatch>())?;
    let slot = pod_read_unaligned::<OrderBatch>(bytes).deadline_slot;
    (slot != Slot::ZERO).then_some(slot)
}

/// A closed batch: its last word is the state that the account has, complete
/// or never sealed, and no lot is left in it.
fn closed(head: &OrderBatch, events: &[&[u8]]) -> Audited<bool> {
    let last = events.last().and_then(|bytes| Recorded::parse(bytes));
    let last = last.and_then(|event| moved(&event));
    let over = [BatchState::Complete as u8, BatchState::Building as u8].contains(&head.state);
    let said = last.is_some_and(|moved| moved.state == head.state);
    if !over || !said || head.lots.live != 0 {
        return fault(head.chain.sequence, Reason::AccountDiffers);
    }
    Ok(false)
}

/// One event to take again.
struct Step<'a> {
    at: usize,
    moved: &'a BatchMoved,
    party: &'a Party,
    limits: &'a Limits,
}

struct Replay<'a, 'b> {
    found: Batch<'a>,
    desk: Key,
    events: &'b [&'b [u8]],
    origin: Origin<'b>,
    sha256: Sha256,
}

impl Replay<'_, '_> {
    fn again(&self, work: &mut [u8], step: &Step, journal: &mut Journal) -> Result<()> {
        let (moved, party) = (step.moved, step.party);
        let kind = BatchEvent::from_code(moved.kind)?;
        if kind == BatchEvent::Created {
            return self.create(work, step, journal);
        }
        let mut batch = Batch::open(work)?;
        match kind {
            BatchEvent::Created => Err(IndexError::IllegalTransition),
            BatchEvent::Assets => self.set_assets(&mut batch, step, journal),
            BatchEvent::Joined => {
                let (order, limits) = (moved.order, step.limits);
                batch.join(party, order, moved.amount, moved.tokens, limits, journal)
            }
            BatchEvent::Cells => self.set_cells(&mut batch, step, journal),
            BatchEvent::Dropped => batch.drop_member(party, &moved.order, journal),
            BatchEvent::Sealed => batch.seal(party, journal),
            BatchEvent::Engaged => {
                party.must_be(Role::OrderManager, &self.desk)?;
                batch.must_be_in(BatchState::Sealed)?;
                batch.lock(&moved.order, party, journal).map(|_| ())
            }
            BatchEvent::Sent => batch.send(party, journal),
            BatchEvent::Filled => self.fill(&mut batch, step, journal),
            BatchEvent::Cancelled => batch.cancel_rest(moved.position, party, journal),
            BatchEvent::Complete => batch.complete(journal),
            BatchEvent::Taken => self.take(&mut batch, step, journal),
            BatchEvent::Left => leave(&mut batch, moved, journal),
            BatchEvent::Drawn => self.draw(&mut batch, step, journal),
            BatchEvent::Retired => retire(&mut batch, moved, journal),
        }
    }

    fn create(&self, work: &mut [u8], step: &Step, journal: &mut Journal) -> Result<()> {
        if step.at != 0 {
            return Err(IndexError::AlreadyInitialized);
        }
        let head = &self.found.head;
        let desk = Desk::new(self.desk, [1; 32], *step.limits)?;
        let plan = BatchPlan {
            stream: head.chain.stream,
            number: head.number,
            market_sequence: head.market_sequence,
            size: BatchSize {
                assets: head.assets_max,
                members: head.members_max,
                lots: head.lots.capacity,
            },
        };
        work.fill(0);
        Batch::create(work, &desk, step.party, &plan, journal).map(|_| ())
    }

    fn set_assets(&self, batch: &mut Batch, step: &Step, journal: &mut Journal) -> Result<()> {
        let mut orders = [AssetOrder::zeroed(); ASSETS_MAX as usize];
        let assets = self.found.assets();
        for (place, asset) in orders.iter_mut().zip(assets) {
            *place = AssetOrder {
                label: asset.label,
                limit: asset.limit,
                quantity: asset.ordered,
            };
        }
        let orders = &orders[..assets.len()];
        let first = batch.head.assets as usize;
        let width = size_of::<AssetOrder>();
        let hash = &step.moved.list_hash;
        let end = part(cast_slice(orders), first, width, hash, self.sha256);
        let list = &orders[first..end.ok_or(IndexError::WrongAmount)?];
        batch.set_assets(step.party, first as u32, list, journal)
    }

    fn set_cells(&self, batch: &mut Batch, step: &Step, journal: &mut Journal) -> Result<()> {
        let mut shares = [Share::zeroed(); ASSETS_MAX as usize];
        let (position, member) = batch.member(&step.moved.order)?;
        let first = member.cells as usize;
        let cells = self.found.cells(position);
        for (place, cell) in shares.iter_mut().zip(cells) {
            *place = Share {
                fraction: cell.fraction,
                contribution: cell.contribution,
            };
        }
        let shares = &shares[..cells.len()];
        let (width, hash) = (size_of::<Share>(), &step.moved.list_hash);
        let end = part(cast_slice(shares), first, width, hash, self.sha256);
        let list = &shares[first..end.ok_or(IndexError::WrongAmount)?];
        let order = &step.moved.order;
        batch.set_cells(step.party, order, first as u32, list, step.limits, journal)
    }

    fn fill(&self, batch: &mut Batch, step: &Step, journal: &mut Journal) -> Result<()> {
        step.party.must_be(Role::InventoryManager, &self.desk)?;
        batch.must_be_in(BatchState::Sent)?;
        let moved = step.moved;
        let fill = BatchFill {
            asset: moved.position,
            number: moved.fill,
            venue: [0; 32],
            quantity: moved.quantity,
            price: moved.price,
            fee: moved.fee,
        };
        let lot = batch.accept_fill(&fill, step.limits, journal)?;
        batch.book_fill(&fill, lot, step.party, journal)
    }

    fn take(&self, batch: &mut Batch, step: &Step, journal: &mut Journal) -> Result<()> {
        step.party.must_be(Role::BatchManager, &self.desk)?;
        let (position, member) = batch.member(&step.moved.order)?;
        if member.standing != Standing::Engaged as u8 {
            return Err(IndexError::NotAMember);
        }
        let mut lines = [Line::zeroed(); LINES_MAX];
        let tokens = step.moved.tokens;
        batch.take(position, tokens, step.party, &mut lines, journal)?;
        if self.was_full(step, position) {
            batch.dismiss(position);
        }
        Ok(())
    }

    /// Whether a member left with this fill: it is out in the end, and nothing
    /// later says so. That the order was full then is in the order's replay.
    fn was_full(&self, step: &Step, position: usize) -> bool {
        let left = |member: &crate::batch::Member| member.standing == Standing::Left as u8;
        let out = self.found.members().get(position).is_some_and(left);
        let later = self.events[step.at + 1..].iter().any(|bytes| {
            let event = Recorded::parse(bytes).and_then(|event| moved(&event));
            event.is_some_and(|event| {
                event.order == step.moved.order
                    && (event.kind == BatchEvent::Taken as u8
                        || event.kind == BatchEvent::Left as u8)
            })
        });
        out && !later
    }

    fn draw(&self, batch: &mut Batch, step: &Step, journal: &mut Journal) -> Result<()> {
        step.party.must_be(Role::BatchManager, &self.desk)?;
        batch.must_be_in(BatchState::Sent)?;
        let moved = step.moved;
        let asset = *batch.asset(moved.position as usize)?;
        let lot = lot(self.origin, asset.label, moved.fill, moved.quantity)?;
        let fits = lot.remaining.get() <= asset.open()?.get();
        if !fits || lot.price.get() > asset.limit.get() {
            return Err(IndexError::AboveOrdered);
        }
        batch.take_in(moved.position, &lot)?;
        let event = transfer(batch, moved.position, &lot, BatchEvent::Drawn);
        journal.record(&mut batch.head.chain, step.party, &event)
    }
}

/// The order's engaged rest is what the member engaged and did not spend.
fn leave(batch: &mut Batch, moved: &BatchMoved, journal: &mut Journal) -> Result<()> {
    batch.must_be_in(BatchState::Complete)?;
    let (position, member) = batch.member(&moved.order)?;
    if member.standing != Standing::Engaged as u8 {
        return Err(IndexError::NotAMember);
    }
    let amount = Atoms(member.engaged.0.saturating_sub(member.spent.0));
    batch.leave(position, amount, journal)
}

fn retire(batch: &mut Batch, moved: &BatchMoved, journal: &mut Journal) -> Result<()> {
    batch.must_be_in(BatchState::Complete)?;
    if batch.has_engaged() {
        return Err(IndexError::Incomplete);
    }
    let lot = batch.give_out(moved.position)?.ok_or(IndexError::NoLot)?;
    let event = transfer(batch, moved.position, &lot, BatchEvent::Retired);
    journal.record(&mut batch.head.chain, &Party::ANYONE, &event)
}

/// A lot of which so much is left.
fn lot(origin: Origin, label: u64, fill: u64, remaining: Quantity) -> Result<BatchLot> {
    let lot = origin(label, fill).ok_or(IndexError::NoLot)?;
    if remaining.is_zero() || remaining.get() > lot.original.get() {
        return Err(IndexError::NoLot);
    }
    Ok(BatchLot { remaining, ..lot })
}

/// Replays a carry-over and compares it with its account, lot by lot.
/// `scratch` is 8-aligned room of the account's length.
///
/// # Errors
/// As [`batch`].
pub fn carry(
    account: &[u8],
    scratch: &mut [u8],
    desk: &DeskHistory,
    events: &[&[u8]],
    origin: Origin,
    sha256: Sha256,
) -> Audited {
    let Some(head) = account.get(..size_of::<CarryOver>()) else {
        return fault(0, Reason::AccountDiffers);
    };
    let head: CarryOver = pod_read_unaligned(head);
    verify(&head.chain, events.iter().copied(), sha256)?;
    let room = scratch.get_mut(..account.len());
    let Some(scratch) = room.filter(|_| head.desk == desk.address()) else {
        return fault(0, Reason::AccountDiffers);
    };
    scratch.fill(0);
    let (stream, capacity) = (head.chain.stream, head.lots.capacity);
    let made = Carry::create(scratch, stream, head.desk, head.asset, capacity);
    let Ok(mut carry) = made else {
        return fault(0, Reason::AccountDiffers);
    };
    for (at, bytes) in events.iter().enumerate() {
        let event = Recorded::parse(bytes);
        let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<BatchMoved>()?))) else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let party = party(&event, desk)?;
        let lot = lot(origin, head.asset, moved.fill, moved.quantity);
        run(&events[at..=at], &event, sha256, |journal| {
            carry.again(&moved, &lot?, &party, journal)
        })?;
    }
    compare(scratch, account, head.chain.sequence)
}

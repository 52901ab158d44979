//! Checks at the end of a run: what was compared, and whether it held.

use crate::flow::model::{Model, Queue, Resting};
use crate::print::tell;
use crate::venue::Custody;
use flagstone_sdk::engine::Slab;
use flagstone_sdk::engine::audit::Totals;
use flagstone_sdk::units::Side;

/// One check.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Check {
    /// What was compared, with the numbers.
    pub(crate) what: String,
    /// Whether it held.
    pub(crate) holds: bool,
}

impl Check {
    /// A check that was made.
    pub(crate) fn new(what: String, holds: bool) -> Self {
        Self { what, holds }
    }
}

/// Prints the checks; `true` when all of them hold.
pub(crate) fn print(checks: &[Check]) -> bool {
    for check in checks {
        tell!(
            "  [{}] {}",
            if check.holds { "ok" } else { "BROKEN" },
            check.what
        );
    }
    checks.iter().all(|check| check.holds)
}

/// Every invariant of the slab, and conservation to the atom.
pub(crate) fn slab(slab: &Slab<'_>) -> Vec<Check> {
    let audited = match slab.audit() {
        Ok(_) => Check::new(
            "audit: pools, links, levels, queues, accounts and open lots recount right".to_string(),
            true,
        ),
        Err(broken) => Check::new(format!("audit: {broken}"), false),
    };
    let conserved = match slab.conservation() {
        Ok(totals) => conservation(&totals),
        Err(broken) => Check::new(format!("conservation: {broken}"), false),
    };
    vec![audited, conserved]
}

fn conservation(totals: &Totals) -> Check {
    let Totals {
        cash_atoms,
        cost_atoms,
        fees_atoms,
        pools_atoms,
        received_atoms,
        funding_left_atoms: _,
    } = totals;
    let held = cash_atoms - cost_atoms + fees_atoms + pools_atoms;
    Check::new(
        format!(
            "conservation: cash {cash_atoms} - cost of positions {cost_atoms} + fees {fees_atoms} \
             + pools {pools_atoms} = received {received_atoms} atoms"
        ),
        held == *received_atoms,
    )
}

/// The Router's side: tokens, books and the slab agree to the atom.
pub(crate) fn custody(custody: &Custody, received_atoms: i128) -> Vec<Check> {
    let Custody {
        vault_atoms,
        booked_atoms,
        backing_atoms,
        cash_atoms,
        deposits_atoms,
    } = *custody;
    let booked = u128::from(cash_atoms) + u128::from(backing_atoms);
    vec![
        Check::new(
            format!(
                "vault: {vault_atoms} tokens = {deposits_atoms} deposited = {booked_atoms} booked"
            ),
            vault_atoms == deposits_atoms && vault_atoms == booked_atoms,
        ),
        Check::new(
            format!(
                "books: portfolios {cash_atoms} + backing {backing_atoms} = {booked_atoms} booked"
            ),
            booked == u128::from(booked_atoms),
        ),
        Check::new(
            format!(
                "backing: {backing_atoms} atoms behind {received_atoms} that the slab received"
            ),
            i128::from(backing_atoms) == received_atoms,
        ),
    ]
}

/// Prices of a side of the slab's book with their orders, oldest first. An
/// order is known by its client id.
pub(crate) fn queues(slab: &Slab<'_>, side: Side) -> Vec<Queue> {
    let mut queues = Vec::new();
    let mut level = slab.instruments[0].books[side.index()].best;
    while level != 0 {
        let mut orders = Vec::new();
        let mut index = slab.levels[level].head;
        while index != 0 {
            let order = &slab.orders[index];
            orders.push(Resting {
                id: order.client_id,
                lots: order.lots.0,
            });
            index = order.next;
        }
        queues.push((slab.levels[level].ticks.0, orders));
        level = slab.levels[level].next;
    }
    queues
}

/// The slab's book equals the model's: every price, quantity and queue.
pub(crate) fn books(book: &[Vec<Queue>; 2], model: &Model) -> Check {
    let names = ["bid", "ask"];
    for (side, slab) in [Side::Bid, Side::Ask].into_iter().zip(book) {
        let model = model.queues(side);
        let at = (0..slab.len().max(model.len())).find(|at| slab.get(*at) != model.get(*at));
        if let Some(at) = at {
            let (name, slab, model) = (names[side.index()], slab.get(at), model.get(at));
            let what = format!("books differ at {name} level {at}: {slab:?}, the model {model:?}");
            return Check::new(what, false);
        }
    }
    let levels: usize = book.iter().map(Vec::len).sum();
    let orders: usize = book.iter().flatten().map(|(_, queue)| queue.len()).sum();
    Check::new(
        format!(
            "book: {levels} levels and {orders} orders equal a plain map-and-queue model: \
             prices, quantities, order of the queues"
        ),
        orders == model.len(),
    )
}

/// How many answers differed from the model.
pub(crate) fn answers(compared: u64, differ: u64, first: Option<&str>) -> Check {
    let mut what = format!("answers: {compared} replies compared with the model, {differ} differ");
    if let Some(first) = first {
        what += &format!("; the first: {first}");
    }
    Check::new(what, differ == 0)
}

/// What everyone has left, and the fees, are what they brought.
pub(crate) fn equity(before_atoms: i128, after_atoms: i128, fees_atoms: i128) -> Check {
    Check::new(
        format!("equity: {after_atoms} after + {fees_atoms} fees = {before_atoms} before"),
        after_atoms + fees_atoms == before_atoms,
    )
}

//! Part two: one order over two full slabs.
//!
//! | module | room for |
//! |---|---|
//! | [`stage`] | two slabs, two people, sending and looking over the books |
//! | [`view`] | where all the money is, and whether it adds up |
//! | [`order`] | routes of the taker, and the bytes of the whole chain |
//! | [`at_once`] | three legs in one transaction |
//! | [`trip`] | closing, release, settle, withdraw; profit and loss |
//! | [`over_time`] | the same steps over several slots, and a hold that expires |
//! | [`undone`] | legs that fail |

mod at_once;
mod order;
mod over_time;
mod stage;
mod trip;
mod undone;
mod view;

use super::tables;
use crate::checks::{self, Check};
use crate::print::tell;
use crate::venue::Chains;
use anyhow::Result;
use stage::Stage;
use view::View;

type Chapter = fn(&mut Stage) -> Result<()>;

/// The story in order.
const CHAPTERS: [(&str, Chapter); 6] = [
    ("A maker on two slabs, a taker on none", at_once::quotes),
    ("Three legs in one transaction", at_once::three_legs),
    ("Closing, and the way back", trip::close_higher),
    ("The four steps over several slots", over_time::steps),
    ("A leg fails, and nothing happened", undone::undone),
    ("Everyone goes home", trip::everyone_leaves),
];

/// Tells the story; `true` when all its checks hold.
///
/// # Errors
/// When a program is missing or a transaction failed that should not.
pub(super) fn tell(chains: &Chains) -> Result<bool> {
    tell!("\nPart two: one order over two slabs");
    let mut stage = Stage::open(chains)?;
    let before = View::of(&stage)?;
    for (at, (title, chapter)) in CHAPTERS.iter().enumerate() {
        tell!("\n{}. {title}", at + 1);
        chapter(&mut stage)?;
    }
    tell!(
        "\nCompute units per instruction\n{}",
        tables::compute_units(&stage.steps)
    );
    let after = View::of(&stage)?;
    tell!("Before, in quote units\n{}", before.purses());
    tell!("After\n{}", after.purses());
    tell!("What the exchange holds\n{}", after.exchange());
    tell!("Checks");
    let mut found = std::mem::take(&mut stage.found);
    found.push(Check::new(
        format!(
            "all books agreed after each of {} transactions; now:",
            stage.audits
        ),
        stage.broken.is_none(),
    ));
    // The last look, or the first that found something wrong.
    found.extend(stage.broken.unwrap_or_else(|| after.checks()));
    Ok(checks::print(&found))
}

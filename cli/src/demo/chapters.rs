//! What happens, one function per chapter.

use super::story::{MARK, QUOTE, Story, say, ticks};
use super::tables;
use crate::checks;
use crate::print::tell;
use crate::table::{grouped, money};
use crate::venue::{self, Chains};
use anyhow::{Context, Result, ensure};
use flagstone_sdk::interface::event::Traded;
use flagstone_sdk::units::Side;

/// What everyone brings, deposits and pledges, in atoms.
const TOKENS: u64 = 50_000 * QUOTE;
const DEPOSIT: u64 = 20_000 * QUOTE;
const PLEDGE: u64 = 10_000 * QUOTE;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

type Chapter = fn(&mut Story) -> Result<()>;

/// The story in order.
const CHAPTERS: [(&str, Chapter); 4] = [
    ("Three people bring money", money_arrives),
    ("Two makers quote both sides", makers_quote),
    ("A taker buys", taker_buys),
    ("Handles go stale, orders go", orders_leave),
];

/// Tells the story; `true` when the checks at its end hold.
///
/// # Errors
/// When a program is missing or a transaction failed that should not.
pub(crate) fn tell(chains: &Chains) -> Result<bool> {
    tell!("Part one: two makers and a taker\n");
    let mut story = Story::open(chains)?;
    say!("An exchange opens: a Router with a vault, and a slab of 10 MiB that");
    say!(
        "trades TEST-PERP in lots worth their price, marked at {}.",
        ticks(MARK)
    );
    for name in ["Alice", "Bob", "Carol"] {
        story.meet(name, TOKENS)?;
    }
    let before = tables::balances(&story)?;
    for (at, (title, chapter)) in CHAPTERS.iter().enumerate() {
        tell!("\n{}. {title}", at + 1);
        chapter(&mut story)?;
    }
    tell!(
        "\nCompute units per instruction\n{}",
        tables::compute_units(&story.steps)
    );
    tell!("Before, in quote units\n{}", tables::people(&before));
    let after = tables::balances(&story)?;
    tell!("After\n{}", tables::people(&after));
    tell!("What the exchange holds\n{}", tables::exchange(&story)?);
    check(&story, &before, &after)
}

fn money_arrives(story: &mut Story) -> Result<()> {
    for who in [ALICE, BOB, CAROL] {
        story.join(who, DEPOSIT, PLEDGE)?;
        let person = story.person(who);
        say!(
            "{} deposits {} into the vault, pledges {} of it to the slab and opens account {}.",
            person.name,
            money(DEPOSIT),
            money(PLEDGE),
            person.member.account
        );
    }
    say!("Wallets signed for the money; from now on session keys trade, which own nothing.");
    Ok(())
}

fn makers_quote(story: &mut Story) -> Result<()> {
    for (who, distance, lots) in [(ALICE, 5, 10), (BOB, 10, 20)] {
        story.quote(who, Side::Bid, MARK - distance, lots)?;
        story.quote(who, Side::Ask, MARK + distance, lots)?;
        say!(
            "{} bids {} and asks {} for {lots} lots each, post-only.",
            story.person(who).name,
            ticks(MARK - distance),
            ticks(MARK + distance)
        );
    }
    let refusal = story.refused(BOB, Side::Bid, MARK + 5, 1)?;
    say!(
        "Bob tries to bid {} as well and is refused: \"{refusal}\"",
        ticks(MARK + 5)
    );
    Ok(())
}

fn taker_buys(story: &mut Story) -> Result<()> {
    let bought = story.take(CAROL, Side::Bid, MARK + 10, 15)?;
    tell_trade(story, "Carol buys", &bought);
    story.wait(10);
    say!("Ten slots pass.");
    let sold = story.take(CAROL, Side::Ask, MARK - 10, 4)?;
    tell_trade(story, "Carol sells", &sold);
    say!(
        "The sale moved the mark: the quotes had rested long enough, so it follows their middle\
         \n  to {}.",
        ticks(tables::mark(story)?)
    );
    Ok(())
}

fn tell_trade(story: &Story, who_does: &str, traded: &Traded) {
    let fills: Vec<_> = traded
        .fills()
        .iter()
        .map(|fill| {
            let owner = story
                .people
                .iter()
                .find(|person| person.member.account == fill.account);
            let (name, lots) = (owner.map_or("?", |person| person.name), fill.lots);
            format!("{lots} at {} with {name}", ticks(fill.ticks))
        })
        .collect();
    say!(
        "{who_does} {} lots at once: {}; the fee is {}.",
        grouped(traded.lots),
        fills.join(", "),
        money(traded.fee_atoms)
    );
}

fn orders_leave(story: &mut Story) -> Result<()> {
    let first = story.quote(ALICE, Side::Ask, MARK + 30, 7)?;
    let lots = story
        .cancel(ALICE, first)?
        .context("a live order was not cancelled")?;
    say!(
        "Alice asks {} and cancels: {lots} lots leave the book.",
        ticks(MARK + 30)
    );
    let second = story.quote(BOB, Side::Ask, MARK + 40, 3)?;
    ensure!(first.0 == second.0, "a freed slot was not used again");
    say!(
        "Bob asks {} and gets the freed slot {} with generation {}.",
        ticks(MARK + 40),
        second.0,
        second.1
    );
    ensure!(
        story.cancel(ALICE, first)?.is_none(),
        "a stale handle did something"
    );
    say!("Alice cancels once more with her old handle: it is stale, and Bob's order stays.");
    let lots = story.cancel(BOB, second)?.context("Bob's order is gone")?;
    say!("Bob cancels it himself: {lots} lots leave the book.");
    Ok(())
}

/// Conservation to the atom.
fn check(story: &Story, before: &[tables::Balance], after: &[tables::Balance]) -> Result<bool> {
    tell!("Checks");
    let exchange = &story.exchange;
    let (mut found, received_atoms) = exchange.session.with_slab(&exchange.slab, |slab| {
        let received = slab
            .conservation()
            .map_or(-1, |totals| totals.received_atoms);
        (checks::slab(slab), received)
    })?;
    let members: Vec<_> = story.people.iter().map(|person| &person.member).collect();
    let custody = venue::custody(exchange, &members).context("a record of the Router is gone")?;
    found.extend(checks::custody(&custody, received_atoms));
    let sum = |balances: &[tables::Balance]| -> i128 {
        balances.iter().map(tables::Balance::equity_atoms).sum()
    };
    found.push(checks::equity(
        sum(before),
        sum(after),
        tables::fees(story)?,
    ));
    Ok(checks::print(&found))
}

//! Whole instructions of the index-vault, over the golden vectors' market.
//!
//! The vectors' numbers are reported as a vendor reports them and the index is
//! made as its administrator makes it, so that a figure is what a user's
//! transaction pays: accounts, ages, labels, the kernel, the record of the event.
//! The kernels alone are in `kernels`.

use crate::kernels::{BUY_50, Case, Cases};
use crate::matrix::{Row, SAMPLES, row, shown};
use anyhow::{Context, Result, ensure};
use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::{Asset, DataUpdate, MarginUpdate, Place, SupplyUpdate};
use flagstone_kernels::{Amount, Label};
use flagstone_sdk::address;
use flagstone_sdk::embedded::{Exchange, Session};
use flagstone_sdk::index::{self, IndexLimits, NewOrder, Pair, Seeded};
use flagstone_sdk::units::Side;
use solana_account::Account;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::path::Path;

/// Largest chunk, in atoms: the vector's 2,000 units of collateral.
const CHUNK_ATOMS: u64 = 2_000_000_000;

/// Rows of the index-vault's instructions.
pub(crate) fn measure(programs: &Path, vectors: &Path) -> Result<Vec<Row>> {
    let case = Cases::read(vectors)?.get(BUY_50)?;
    let mut vault = Vault::open(programs, &case)?;
    let (mut quote, mut equal, mut buy, mut sell) = (vec![], vec![], vec![], vec![]);
    for sample in 0..SAMPLES {
        let mut varied = case.varied(sample)?;
        // A margin in another asset's units would let nothing through.
        for (asset, own) in varied.assets.iter_mut().zip(&case.assets) {
            asset.margin = own.margin;
        }
        vault.report(&varied.assets)?;
        quote.push(vault.send(&[vault.pair.update_quote()])?);
        buy.push(vault.trade(Side::Bid, u64::from(sample) * 2, CHUNK_ATOMS * 3)?);
        let tokens = vault.claim(u64::from(sample) * 2)?;
        sell.push(vault.trade(Side::Ask, u64::from(sample) * 2 + 1, tokens)?);
        // Every asset as scarce as every other, which bounds cannot tell apart.
        vault.report(&equally_scarce(&varied))?;
        equal.push(vault.send(&[vault.pair.update_quote()])?);
    }
    Ok(vec![
        row("index_update_quote_50_150", 0, 0, quote),
        row("index_update_quote_equal_50_150", 0, 0, equal),
        row("index_execute_buy_50_150", 0, 0, buy),
        row("index_execute_sell_50_150", 0, 0, sell),
    ])
}

/// The assets with a liquidity of so many index units for each constituent.
fn equally_scarce(case: &Case) -> Vec<Asset> {
    let mut assets = case.assets.clone();
    for one in &case.constituents {
        let asset = &mut assets[usize::from(one.place.slot)];
        asset.liquidity = Amount::new(one.weight.get() * 1_000);
    }
    assets
}

/// A market and an index of the vectors, its vendor and a trader.
struct Vault {
    session: Session,
    pair: Pair,
    vendor: Keypair,
    trader: Keypair,
    collateral: Address,
    tokens: Address,
}

impl Vault {
    fn open(programs: &Path, case: &Case) -> Result<Self> {
        let session = Session::start(programs)?;
        let mut exchange = Exchange::mint_only(session).map_err(shown)?;
        let [admin, vendor, trader] = [(); 3].map(|()| exchange.session.new_wallet());
        let collateral = exchange.create_tokens(&trader.pubkey(), 1 << 50);
        let collateral = collateral.map_err(shown)?;
        let mint = exchange.mint;
        let mut session = exchange.session;
        let key = admin.pubkey();
        let seeded = |session: &Session, seed, bytes| Seeded {
            base: key,
            seed,
            rent_lamports: session.svm.minimum_balance_for_rent_exemption(bytes),
            prefunded_lamports: 0,
        };
        let long = "a seed is too long";
        let assets = case.assets.len();
        let account = seeded(&session, "market", index::market_bytes(assets));
        let market = account.address().context(long)?;
        let create = index::create_market(&account, assets, &mint, &vendor.pubkey(), 100, 1_000);
        send(&mut session, &create.context(long)?, &admin)?;
        let labels: Vec<Label> = case.assets.iter().map(|asset| asset.label).collect();
        for labels in labels.chunks(40) {
            send(
                &mut session,
                &[index::add_assets(&market, &key, labels)],
                &admin,
            )?;
        }
        let count = case.constituents.len();
        let account = seeded(&session, "index", index::index_bytes(count));
        let pair = Pair {
            market,
            index: account.address().context(long)?,
        };
        let limits = IndexLimits {
            order_atoms_max: CHUNK_ATOMS,
            quote_slots_max: 50,
            quote_lag_max: 0,
            chunk_gap_slots: 0,
            paused: false,
        };
        let desk = Address::default();
        let create = index::create_index(&account, count, &market, &limits, &desk);
        send(&mut session, &create.context(long)?, &admin)?;
        let weights = |one: &Constituent| (one.place, one.weight);
        let weights: Vec<(Place, Amount)> = case.constituents.iter().map(weights).collect();
        for weights in weights.chunks(20) {
            send(
                &mut session,
                &[pair.add_constituents(&key, weights)],
                &admin,
            )?;
        }
        send(&mut session, &[pair.seal(&key)], &admin)?;
        let tokens = plant_tokens(&mut session, &trader.pubkey(), &pair)?;
        Ok(Self {
            session,
            pair,
            vendor,
            trader,
            collateral,
            tokens,
        })
    }

    /// Reports what the vectors say of each asset.
    fn report(&mut self, assets: &[Asset]) -> Result<()> {
        let (market, vendor) = (self.pair.market, self.vendor.pubkey());
        let place = |slot: usize| Place::new(assets[slot].label, slot as u16);
        let slots: Vec<usize> = (0..assets.len()).collect();
        let mut all = Vec::new();
        for slots in slots.chunks(12) {
            let data = |slot: &usize| DataUpdate {
                place: place(*slot),
                price: assets[*slot].price,
                slope: assets[*slot].slope,
                liquidity: assets[*slot].liquidity,
            };
            // The vectors' demand is not on chain, so its net exposure is the supply.
            let supply = |slot: &usize| SupplyUpdate {
                place: place(*slot),
                long: assets[*slot].delta_long,
                short: assets[*slot].delta_short,
            };
            let margin = |slot: &usize| MarginUpdate {
                place: place(*slot),
                margin: assets[*slot].margin,
            };
            let data: Vec<_> = slots.iter().map(data).collect();
            let supply: Vec<_> = slots.iter().map(supply).collect();
            let margin: Vec<_> = slots.iter().map(margin).collect();
            all.push(index::submit_data(&market, &vendor, &data));
            all.push(index::submit_supply(&market, &vendor, &supply));
            all.push(index::submit_margin(&market, &vendor, &margin));
        }
        for instruction in all {
            send(&mut self.session, &[instruction], &self.vendor)?;
        }
        Ok(())
    }

    /// Units of a transaction that nobody but its payer signs.
    fn send(&mut self, instructions: &[Instruction]) -> Result<u64> {
        let sent = self.session.send(instructions, &[]);
        let units = sent.map_err(shown)?.compute_units;
        let slot = self.session.slot();
        self.session.warp_to(slot + 1);
        Ok(units)
    }

    /// Makes an order; units of its first chunk.
    fn trade(&mut self, side: Side, order_id: u64, given: u64) -> Result<u64> {
        let key = self.trader.pubkey();
        let new = NewOrder {
            side,
            order_id,
            given,
            limit_atoms: if side == Side::Bid { u64::MAX } else { 0 },
            deadline_slot: 0,
        };
        let source = match side {
            Side::Bid => self.collateral,
            Side::Ask => self.tokens,
        };
        let submit = self.pair.submit_order(&key, &source, &new);
        send(&mut self.session, &[submit], &self.trader)?;
        let order = self.pair.order(&key, order_id);
        let units = self.send(&[self.pair.execute(&order, 0)])?;
        let order = index::read_order(&self.session.data(&order)).context("an order")?;
        ensure!(order.chunks == 1 && order.used > 0, "nothing was traded");
        Ok(units)
    }

    /// Claims an order's tokens; how many they are.
    fn claim(&mut self, order_id: u64) -> Result<u64> {
        let key = self.trader.pubkey();
        let claim = self.pair.claim(&key, order_id, &self.tokens);
        send(&mut self.session, &[claim], &self.trader)?;
        let data = self.session.data(&self.pair.order(&key, order_id));
        Ok(index::read_order(&data).context("an order")?.received)
    }
}

fn send(session: &mut Session, instructions: &[Instruction], signer: &Keypair) -> Result<()> {
    session.send_large(instructions, &[signer]).map_err(shown)?;
    let slot = session.slot();
    session.warp_to(slot + 1);
    Ok(())
}

/// An empty account of index tokens.
fn plant_tokens(session: &mut Session, owner: &Address, pair: &Pair) -> Result<Address> {
    let mut data = vec![0; 165];
    data[..32].copy_from_slice(address::index_mint(&pair.index).as_ref());
    data[32..64].copy_from_slice(owner.as_ref());
    data[108] = 1;
    let account = Account {
        lamports: 10_000_000,
        data,
        owner: address::TOKEN,
        ..Account::default()
    };
    let key = Address::new_unique();
    let set = session.svm.set_account(key, account);
    set.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    Ok(key)
}

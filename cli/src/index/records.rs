//! The index-vault's accounts, by kind.

use super::recording::{Account, Recording};
use super::report::{Finding, Report};
use flagstone_sdk::index_engine::allotment::AllotmentHead;
use flagstone_sdk::index_engine::batch::OrderBatch;
use flagstone_sdk::index_engine::carry::CarryOver;
use flagstone_sdk::index_engine::chain::Chain;
use flagstone_sdk::index_engine::collateral::CollateralPosition;
use flagstone_sdk::index_engine::inventory::Inventory;
use flagstone_sdk::index_engine::orders::IndexOrder;
use flagstone_sdk::index_engine::pending::PendingOrder;
use flagstone_sdk::index_engine::records::{Custody, IndexHead, MarketHead};
use flagstone_sdk::index_engine::roles::Desk;
use flagstone_sdk::interface::Record;
use flagstone_sdk::read_record;
use solana_address::Address;
use std::collections::BTreeSet;

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Desk,
    Market,
    Index,
    Order,
    Allotment,
    Position,
    Intent,
    Batch,
    Inventory,
    Carry,
}

impl Kind {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Market => "market",
            Self::Index => "index",
            Self::Order => "order",
            Self::Allotment => "allotment",
            Self::Position => "collateral",
            Self::Intent => "desk order",
            Self::Batch => "batch",
            Self::Inventory => "inventory",
            Self::Carry => "carry-over",
        }
    }
}

/// A record with a history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Where its history stands.
    pub(super) chain: Chain,
    /// Where it lies.
    pub(super) address: Address,
    /// All its bytes.
    pub(super) data: &'a [u8],
}

/// The accounts of a recording.
#[derive(Debug, Default)]
pub(super) struct Records<'a> {
    /// Records with a history, by kind and address.
    pub(super) kept: Vec<Kept<'a>>,
    /// Custodies of desks, which have none.
    pub(super) custodies: Vec<(Address, Custody)>,
}

impl<'a> Records<'a> {
    /// Sorts the accounts; an account that is not the program's, or does not
    /// lie where it says, is no proof of anything.
    pub(super) fn read(recording: &'a Recording, report: &mut Report) -> Self {
        let mut records = Self::default();
        let mut seen = BTreeSet::new();
        for account in &recording.accounts {
            if !seen.insert(account.address) {
                let what = "the account is given twice";
                report
                    .findings
                    .push(Finding::at(&account.address, None, what));
            } else if account.is_ours() {
                records.take(account, report);
            }
        }
        let mut kept = std::mem::take(&mut records.kept);
        kept.sort_by_key(|record| (record.kind, record.address));
        Self { kept, ..records }
    }

    fn take(&mut self, account: &'a Account, report: &mut Report) {
        let address = account.address;
        if let Some(custody) = read_record::<Custody>(&account.data) {
            self.custodies.push((address, custody));
            return;
        }
        let Some((kind, chain)) = kind(&account.data) else {
            // Stored programs and the like; a stream without its account is found.
            let what = format!("{address} is not a record with a history");
            report.notes.push(what);
            return;
        };
        if chain.stream != *address.as_array() {
            let what = format!("the record says that it is {}", Address::from(chain.stream));
            report.findings.push(Finding::at(&address, None, what));
            return;
        }
        self.kept.push(Kept {
            kind,
            chain,
            address,
            data: &account.data,
        });
    }

    /// Records of one kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Kept<'a>> {
        self.kept.iter().filter(move |record| record.kind == kind)
    }

    /// The head of the record of one kind at an address.
    pub(super) fn find<T: Record>(&self, kind: Kind, address: &[u8; 32]) -> Option<T> {
        let mut records = self.of(kind);
        let found = records.find(|record| record.address.as_array() == address)?;
        read_record(found.data)
    }
}

fn kind(data: &[u8]) -> Option<(Kind, Chain)> {
    macro_rules! first {
        ($($kind:ident: $record:ty,)*) => {
            $(if let Some(record) = read_record::<$record>(data) {
                return Some((Kind::$kind, record.chain));
            })*
        };
    }
    first! {
        Desk: Desk,
        Market: MarketHead,
        Index: IndexHead,
        Order: PendingOrder,
        Allotment: AllotmentHead,
        Position: CollateralPosition,
        Intent: IndexOrder,
        Batch: OrderBatch,
        Inventory: Inventory,
        Carry: CarryOver,
    }
    None
}

//! Tables: named vectors that stored programs read and write.
//!
//! A market's vectors change by orders alone, so a program that computes new
//! ones, as the paper's buy does, writes them to a table of whoever runs it.
//! An entry with the id of one of the market's vectors shadows it: empty at
//! first, when the market's is read, and after a store the program's own.
//!
//! ```text
//! table | TableHead | entry[entries] | words
//! ```

use crate::store;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};

/// Entries of a table, at most.
pub const ENTRIES_MAX: usize = 64;

/// Elements of an entry, at most: as many as a market has assets.
pub const ELEMENTS_MAX: u32 = 512;

/// Head of a table's account.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct TableHead {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Entries.
    pub entries: u32,
    /// Who may write it, by hand or through a program.
    pub owner: Key,
    /// Elements of all entries together.
    pub words: u32,
    /// Reserved; zero.
    pub padding: u32,
    /// Reserved; zero.
    pub reserved: [u64; 2],
}
assert_layout!(TableHead, 72, owner @ 16, words @ 48);

impl Record for TableHead {
    const DISCRIMINATOR: [u8; 8] = [0x91, 0x3c, 0x0d, 0x5e, 0xe8, 0x72, 0xb4, 0x27];
    const VERSION: u32 = 1;
}

/// A vector's name and room, as it is asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct TableSpec {
    /// Id by which programs name it, low word first.
    pub id: [u64; 2],
    /// Elements that fit.
    pub capacity: u32,
    /// 0 numbers, 1 labels.
    pub kind: u32,
}
assert_layout!(TableSpec, 24);

/// A vector of a table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct TableEntry {
    /// Name, room and kind.
    pub spec: TableSpec,
    /// Elements.
    pub length: u32,
    /// First element.
    pub start: u32,
}
assert_layout!(TableEntry, 32, length @ 24);

/// An element, low word first.
pub type Word = [u64; 2];

/// The number of an element.
#[inline(always)]
pub const fn number(word: Word) -> u128 {
    (word[1] as u128) << 64 | word[0] as u128
}

/// The element of a number.
#[inline(always)]
pub const fn word(number: u128) -> Word {
    [number as u64, (number >> 64) as u64]
}

/// A table's account.
#[derive(Debug)]
pub struct Table<'a> {
    /// The head.
    pub head: &'a mut TableHead,
    entries: &'a mut [TableEntry],
    words: &'a mut [Word],
}

/// Bytes of a table's account.
pub fn table_bytes(specs: &[TableSpec]) -> usize {
    let words: usize = specs.iter().map(|spec| spec.capacity as usize).sum();
    size_of::<TableHead>() + specs.len() * size_of::<TableEntry>() + words * size_of::<Word>()
}

impl<'a> Table<'a> {
    /// Makes a table of empty vectors in zeroed account bytes.
    ///
    /// # Errors
    /// [`IndexError::AlreadyInitialized`]; [`IndexError::BadCapacity`] for no
    /// vectors, too many, one without room, or more than the account holds;
    /// [`IndexError::UnknownCode`] for a kind; [`IndexError::OutOfOrder`] unless
    /// ids increase, kinds apart.
    pub fn create(data: &'a mut [u8], owner: Key, specs: &[TableSpec]) -> Result<Self> {
        store::must_be_new(data)?;
        if specs.is_empty() || specs.len() > ENTRIES_MAX {
            return Err(IndexError::BadCapacity);
        }
        let mut words = 0;
        for spec in specs {
            if spec.kind > 1 {
                return Err(IndexError::UnknownCode);
            }
            if spec.capacity == 0 || spec.capacity > ELEMENTS_MAX {
                return Err(IndexError::BadCapacity);
            }
            words += spec.capacity;
        }
        let name = |spec: &TableSpec| (number(spec.id), spec.kind);
        if !specs.is_sorted_by(|a, b| name(a) < name(b)) {
            return Err(IndexError::OutOfOrder);
        }
        let (head, _) = store::split_record::<TableHead>(data)?;
        *head = TableHead {
            discriminator: TableHead::DISCRIMINATOR,
            version: TableHead::VERSION,
            entries: specs.len() as u32,
            owner,
            words,
            ..TableHead::zeroed()
        };
        let table = Self::open(data)?;
        let mut start = 0;
        for (entry, spec) in table.entries.iter_mut().zip(specs) {
            *entry = TableEntry {
                spec: *spec,
                length: 0,
                start,
            };
            start += spec.capacity;
        }
        Ok(table)
    }

    /// Views account bytes as a table.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`] and [`IndexError::BadCapacity`].
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<TableHead>(data)?;
        let (head, rest) = store::split_record::<TableHead>(data)?;
        if head.entries as usize > ENTRIES_MAX {
            return Err(IndexError::BadCapacity);
        }
        let (entries, rest) = store::split(rest, head.entries as usize)?;
        let (words, _) = store::split(rest, head.words as usize)?;
        Ok(Self {
            head,
            entries,
            words,
        })
    }

    fn find(&self, id: u128, kind: u32) -> Option<usize> {
        let named = |entry: &TableEntry| number(entry.spec.id) == id && entry.spec.kind == kind;
        self.entries.iter().position(named)
    }

    /// The elements of a vector; `None` when there is no such entry.
    pub fn get(&self, id: u128, kind: u32) -> Option<&[Word]> {
        let entry = self.entries.get(self.find(id, kind)?)?;
        let start = entry.start as usize;
        self.words.get(start..start + entry.length as usize)
    }

    /// Writes elements from the number `from` on, where the vector then ends.
    ///
    /// # Errors
    /// [`IndexError::NoLot`] without such an entry, [`IndexError::OutOfOrder`]
    /// when elements before are missing, [`IndexError::MarketFull`] beyond its room.
    pub fn write(
        &mut self,
        id: u128,
        kind: u32,
        from: u32,
        numbers: impl ExactSizeIterator<Item = u128>,
    ) -> Result<()> {
        let found = self.find(id, kind).ok_or(IndexError::NoLot)?;
        let entry = self.entries.get_mut(found).ok_or(IndexError::NoLot)?;
        if from > entry.length {
            return Err(IndexError::OutOfOrder);
        }
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let end = from.checked_add(count);
        let end = end.filter(|end| *end <= entry.spec.capacity);
        let end = end.ok_or(IndexError::MarketFull)?;
        let start = entry.start as usize;
        let room = start + from as usize..start + end as usize;
        let room = self.words.get_mut(room).ok_or(IndexError::BadCapacity)?;
        for (place, number) in room.iter_mut().zip(numbers) {
            *place = word(number);
        }
        entry.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(id: u64, capacity: u32, kind: u32) -> TableSpec {
        TableSpec {
            id: [id, 0],
            capacity,
            kind,
        }
    }

    fn room(specs: &[TableSpec]) -> Vec<u64> {
        vec![0; table_bytes(specs) / 8]
    }

    #[test]
    fn table_keeps_each_vector_apart() {
        let specs = [spec(3, 2, 0), spec(3, 1, 1), spec(9, 3, 0)];
        let mut bytes = room(&specs);
        let data = bytemuck::cast_slice_mut(&mut bytes);
        let mut table = Table::create(data, [7; 32], &specs).expect("a table");
        assert_eq!(table.get(3, 0), Some(&[][..]));
        assert_eq!(table.get(4, 0), None);
        let write = |table: &mut Table, id, kind, from, numbers: &[u128]| {
            table.write(id, kind, from, numbers.iter().copied())
        };
        assert_eq!(write(&mut table, 9, 0, 0, &[1, u128::MAX]), Ok(()));
        assert_eq!(write(&mut table, 9, 0, 2, &[5]), Ok(()));
        assert_eq!(write(&mut table, 3, 1, 0, &[4]), Ok(()));
        let full = Err(IndexError::MarketFull);
        assert_eq!(write(&mut table, 3, 0, 0, &[1, 2, 3]), full);
        assert_eq!(write(&mut table, 9, 0, 2, &[1, 2]), full);
        let gap = Err(IndexError::OutOfOrder);
        assert_eq!(write(&mut table, 3, 0, 1, &[1]), gap);
        assert_eq!(write(&mut table, 9, 1, 0, &[1]), Err(IndexError::NoLot));
        assert_eq!(
            table.get(9, 0).expect("numbers"),
            [[1, 0], [u64::MAX; 2], [5, 0]]
        );
        assert_eq!(table.get(3, 1).expect("labels"), [[4, 0]]);
        assert_eq!(table.get(3, 0), Some(&[][..]));
        // Writing again cuts what was longer.
        assert_eq!(write(&mut table, 9, 0, 0, &[2]), Ok(()));
        assert_eq!(table.get(9, 0).expect("numbers"), [[2, 0]]);
    }

    #[test]
    fn table_refuses_bad_lists_and_short_accounts() {
        let attempt = |specs: &[TableSpec], bytes: usize| {
            let mut room = vec![0u64; bytes / 8];
            let data = bytemuck::cast_slice_mut(&mut room);
            Table::create(data, [7; 32], specs).map(|_| ()).err()
        };
        let good = [spec(3, 2, 0)];
        let bytes = table_bytes(&good);
        assert_eq!(attempt(&good, bytes), None);
        assert_eq!(attempt(&good, bytes - 8), Some(IndexError::BadCapacity));
        assert_eq!(attempt(&[], 1_000), Some(IndexError::BadCapacity));
        let twice = [spec(3, 2, 0), spec(3, 2, 0)];
        assert_eq!(attempt(&twice, 1_000), Some(IndexError::OutOfOrder));
        for (bad, error) in [
            (spec(3, 0, 0), IndexError::BadCapacity),
            (spec(3, 513, 0), IndexError::BadCapacity),
            (spec(3, 1, 2), IndexError::UnknownCode),
        ] {
            assert_eq!(attempt(&[bad], 10_000), Some(error));
        }
    }
}

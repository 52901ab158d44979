//! Joins of a short labelled list into a long one, in the paper's four variants.
//!
//! `labels` (M of them) are the market's and `joined` (N) the index's; both are
//! strictly increasing and `joined` is a subset. The variants differ in how they
//! find the next label, not in what they return ("Aligning Market and Index
//! Vectors", and section 7.2 of the paper):
//!
//! | variant | finds by | compares | moves of a filter |
//! |---|---|---|---|
//! | a [`JoinVariant::InPlace`] | walking | N + M | up to M^2 / 2 |
//! | b [`JoinVariant::Append`] | walking | N + M | N |
//! | c [`JoinVariant::Binary`] | searching all of M | N log M | N |
//! | d [`JoinVariant::Galloping`] | looking at the next, then searching the rest | N + J log M, J gaps | N |
//!
//! Programs that know the market slot of each constituent need none of them:
//! they gather and scatter by slot.

use super::error::VilError;

/// How a join finds a label; the letters are the paper's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JoinVariant {
    /// (a) Walk, and remove unmatched elements one by one.
    InPlace,
    /// (b) Walk, and append matched elements.
    Append,
    /// (c) Binary search for every label.
    Binary,
    /// (d) A cursor that jumps by binary search only when the next label differs.
    #[default]
    Galloping,
}

impl JoinVariant {
    /// All four, in the order of their letters.
    pub const ALL: [Self; 4] = [Self::InPlace, Self::Append, Self::Binary, Self::Galloping];
}

/// How strictly a join treats the labels that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JoinRule {
    /// How labels are found.
    pub variant: JoinVariant,
    /// Ignore joined labels after the long list is exhausted, as upstream does:
    /// an update then loses values and a filter returns fewer than it was asked for.
    pub ignore_tail: bool,
}

impl JoinRule {
    /// Every joined label must be found.
    pub const fn exact(variant: JoinVariant) -> Self {
        Self {
            variant,
            ignore_tail: false,
        }
    }
}

/// Counts the work of a join; `()` counts nothing and costs nothing.
pub trait JoinMeter {
    /// Two labels were compared.
    fn compared(&mut self);
    /// Elements were moved or copied.
    fn moved(&mut self, elements: usize);
}

impl JoinMeter for () {
    #[inline(always)]
    fn compared(&mut self) {}
    #[inline(always)]
    fn moved(&mut self, _elements: usize) {}
}

/// Work of a join, for the comparison with Table 3 of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JoinCost {
    /// Label comparisons.
    pub compares: u64,
    /// Elements moved or copied.
    pub moves: u64,
}

impl JoinMeter for JoinCost {
    fn compared(&mut self) {
        self.compares = self.compares.saturating_add(1);
    }
    fn moved(&mut self, elements: usize) {
        self.moves = self.moves.saturating_add(elements as u64);
    }
}

/// Whether labels are strictly increasing, which every join relies on.
#[inline]
pub fn strictly_increasing(labels: &[u128]) -> bool {
    labels
        .iter()
        .zip(labels.iter().skip(1))
        .all(|(left, right)| left < right)
}

/// Position of `label` in `labels[from..]` by halving, or `None`.
fn search<M: JoinMeter>(labels: &[u128], from: usize, label: u128, meter: &mut M) -> Option<usize> {
    let (mut low, mut high) = (from, labels.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let found = *labels.get(middle)?;
        meter.compared();
        match found.cmp(&label) {
            core::cmp::Ordering::Equal => return Some(middle),
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// Where the next joined label is, at or after `cursor`.
///
/// `Ok(None)` means that the long list is exhausted and the rest is ignored.
#[inline]
fn locate<M: JoinMeter>(
    rule: JoinRule,
    labels: &[u128],
    cursor: usize,
    label: u128,
    meter: &mut M,
) -> Result<Option<usize>, VilError> {
    let found = match rule.variant {
        JoinVariant::InPlace | JoinVariant::Append => {
            let mut at = cursor;
            loop {
                let Some(&candidate) = labels.get(at) else {
                    return if rule.ignore_tail {
                        Ok(None)
                    } else {
                        Err(VilError::LabelMissing)
                    };
                };
                meter.compared();
                if candidate == label {
                    break Some(at);
                }
                if candidate > label {
                    break None;
                }
                at += 1;
            }
        }
        JoinVariant::Binary => search(labels, 0, label, meter),
        JoinVariant::Galloping => match labels.get(cursor) {
            None if rule.ignore_tail => return Ok(None),
            None => None,
            Some(&next) => {
                meter.compared();
                if next == label {
                    Some(cursor)
                } else {
                    search(labels, cursor, label, meter)
                }
            }
        },
    };
    found.map(Some).ok_or(VilError::LabelMissing)
}

/// Keeps the elements of `values` whose label is in `keep`, at its front, and
/// returns how many there are.
///
/// # Errors
/// [`VilError::NotAligned`] when `values` and `labels` differ in length,
/// [`VilError::LabelMissing`] when a label of `keep` is not in `labels`.
pub fn filter<M: JoinMeter>(
    rule: JoinRule,
    values: &mut [u128],
    labels: &[u128],
    keep: &[u128],
    meter: &mut M,
) -> Result<usize, VilError> {
    if values.len() != labels.len() {
        return Err(VilError::NotAligned);
    }
    if matches!(rule.variant, JoinVariant::InPlace) {
        return filter_in_place(rule, values, labels, keep, meter);
    }
    let (mut kept, mut cursor) = (0, 0);
    for &label in keep {
        let Some(at) = locate(rule, labels, cursor, label, meter)? else {
            break;
        };
        let value = values.get(at).copied().ok_or(VilError::NotAligned)?;
        *values.get_mut(kept).ok_or(VilError::NotAligned)? = value;
        meter.moved(1);
        kept += 1;
        cursor = at + 1;
    }
    Ok(kept)
}

/// Variant (a): every unmatched element is removed by shifting all that follow.
fn filter_in_place<M: JoinMeter>(
    rule: JoinRule,
    values: &mut [u128],
    labels: &[u128],
    keep: &[u128],
    meter: &mut M,
) -> Result<usize, VilError> {
    let (mut kept, mut cursor, mut length) = (0, 0, values.len());
    for &label in keep {
        let found = locate(rule, labels, cursor, label, meter)?;
        for _ in cursor..found.unwrap_or(labels.len()) {
            // kept < length: the elements from `kept` on are those from `cursor` on.
            if kept < length {
                values.copy_within(kept + 1..length, kept);
                meter.moved(length - kept - 1);
                length -= 1;
            }
        }
        let Some(at) = found else { break };
        kept += 1;
        cursor = at + 1;
    }
    Ok(kept)
}

/// Replaces the elements of `values` whose labels are in `joined`.
///
/// # Errors
/// [`VilError::NotAligned`] when values and labels of either list differ in
/// length, [`VilError::LabelMissing`] as [`filter`]. `values` may be partly
/// updated then.
pub fn update<M: JoinMeter>(
    rule: JoinRule,
    values: &mut [u128],
    labels: &[u128],
    from: &[u128],
    joined: &[u128],
    meter: &mut M,
) -> Result<(), VilError> {
    scatter(rule, (values, labels), (from, joined), meter, |_, new| {
        Ok(new)
    })
}

/// Adds to the elements of `values` whose labels are in `joined`.
///
/// # Errors
/// As [`update`], and what `add` returns, which sums two elements.
pub fn add<M: JoinMeter>(
    rule: JoinRule,
    target: (&mut [u128], &[u128]),
    source: (&[u128], &[u128]),
    meter: &mut M,
    add: impl Fn(u128, u128) -> Result<u128, VilError>,
) -> Result<(), VilError> {
    scatter(rule, target, source, meter, add)
}

#[inline]
fn scatter<M: JoinMeter>(
    rule: JoinRule,
    (values, labels): (&mut [u128], &[u128]),
    (from, joined): (&[u128], &[u128]),
    meter: &mut M,
    merge: impl Fn(u128, u128) -> Result<u128, VilError>,
) -> Result<(), VilError> {
    if values.len() != labels.len() || from.len() != joined.len() {
        return Err(VilError::NotAligned);
    }
    let mut cursor = 0;
    for (&label, &new) in joined.iter().zip(from) {
        let Some(at) = locate(rule, labels, cursor, label, meter)? else {
            break;
        };
        let value = values.get_mut(at).ok_or(VilError::NotAligned)?;
        *value = merge(*value, new)?;
        meter.moved(1);
        cursor = at + 1;
    }
    Ok(())
}

/// Writes the union of two increasing lists to `into` and returns its length.
///
/// `into` needs room for both. `lossy` reproduces the runtime of November 2025,
/// which drops the label of `left` during which `right` runs out, and whatever
/// of `right` is greater than all of `left`.
///
/// # Errors
/// [`VilError::MemoryLimit`] when `into` is too short.
pub fn union(
    left: &[u128],
    right: &[u128],
    into: &mut [u128],
    lossy: bool,
) -> Result<usize, VilError> {
    let mut room = into.iter_mut();
    let mut length = 0;
    let mut put = |label: u128| -> Result<(), VilError> {
        *room.next().ok_or(VilError::MemoryLimit)? = label;
        length += 1;
        Ok(())
    };
    let mut rest = right;
    for &label in left {
        let had_rest = !rest.is_empty();
        while let Some((&other, after)) = rest.split_first()
            && other < label
        {
            put(other)?;
            rest = after;
        }
        match rest.split_first() {
            Some((&other, after)) => {
                put(label)?;
                if other == label {
                    rest = after;
                }
            }
            None if lossy && had_rest => {}
            None => put(label)?,
        }
    }
    if !lossy {
        for &other in rest {
            put(other)?;
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::vec::Vec;

    fn plus(left: u128, right: u128) -> Result<u128, VilError> {
        left.checked_add(right).ok_or(VilError::MathOverflow)
    }

    /// A market of distinct labels and a subset of it, as index mask.
    fn market_and_subset() -> impl Strategy<Value = (Vec<u128>, Vec<u128>)> {
        prop::collection::btree_map(0u128..2_000, any::<bool>(), 0..200).prop_map(|labels| {
            let all = labels.keys().copied().collect();
            (
                all,
                labels
                    .iter()
                    .filter(|(_, taken)| **taken)
                    .map(|(label, _)| *label)
                    .collect(),
            )
        })
    }

    proptest! {
        #[test]
        fn all_variants_agree_with_a_map((labels, joined) in market_and_subset()) {
            let values: Vec<u128> = labels.iter().map(|label| label * 10).collect();
            let from: Vec<u128> = joined.iter().map(|label| label + 1).collect();
            let old: BTreeMap<u128, u128> = labels.iter().copied().zip(values.clone()).collect();
            for variant in JoinVariant::ALL {
                let rule = JoinRule::exact(variant);
                let mut filtered = values.clone();
                let kept = filter(rule, &mut filtered, &labels, &joined, &mut ())?;
                let expected: Vec<u128> = joined.iter().map(|label| old[label]).collect();
                prop_assert_eq!(&filtered[..kept], &expected[..]);

                let mut updated = values.clone();
                update(rule, &mut updated, &labels, &from, &joined, &mut ())?;
                let mut added = values.clone();
                add(rule, (&mut added, &labels), (&from, &joined), &mut (), plus)?;
                for (at, label) in labels.iter().enumerate() {
                    let taken = joined.contains(label);
                    prop_assert_eq!(updated[at], if taken { label + 1 } else { old[label] });
                    prop_assert_eq!(added[at], old[label] + if taken { label + 1 } else { 0 });
                }
            }
        }

        #[test]
        fn all_variants_refuse_a_label_that_is_not_there(
            (labels, joined) in market_and_subset(),
            foreign in 0u128..2_100,
        ) {
            prop_assume!(!labels.contains(&foreign));
            let mut joined = joined;
            joined.push(foreign);
            joined.sort_unstable();
            for variant in JoinVariant::ALL {
                let mut values = labels.clone();
                let refused =
                    filter(JoinRule::exact(variant), &mut values, &labels, &joined, &mut ());
                prop_assert_eq!(refused, Err(VilError::LabelMissing));
            }
        }

        #[test]
        fn a_union_is_the_union(
            left in prop::collection::btree_set(0u128..60, 0..20),
            right in prop::collection::btree_set(0u128..60, 0..20),
        ) {
            let (a, b): (Vec<u128>, Vec<u128>) =
                (left.iter().copied().collect(), right.iter().copied().collect());
            let mut into = std::vec![0; a.len() + b.len()];
            let length = union(&a, &b, &mut into, false)?;
            let expected: BTreeSet<u128> = left.union(&right).copied().collect();
            prop_assert_eq!(&into[..length], &expected.into_iter().collect::<Vec<_>>()[..]);
        }
    }

    #[test]
    fn the_old_union_loses_labels() {
        let lossy = |left: &[u128], right: &[u128]| {
            let mut into = [0; 16];
            let length = union(left, right, &mut into, true).expect("room");
            into[..length].to_vec()
        };
        assert_eq!(lossy(&[5], &[1, 2]), [1, 2]);
        assert_eq!(lossy(&[2, 3], &[1, 7, 8, 9]), [1, 2, 3]);
        assert_eq!(lossy(&[5, 6], &[1, 2]), [1, 2, 6]);
        assert_eq!(
            union(&[1], &[2], &mut [0; 1], false),
            Err(VilError::MemoryLimit)
        );
    }

    /// The work that the reference counts for 50 of 150, where it says how to count.
    #[test]
    fn costs_rank_as_in_table_3() {
        let labels: Vec<u128> = (1..=150).collect();
        let contiguous: Vec<u128> = (11..=60).collect();
        let scattered: Vec<u128> = (0..50).map(|step| 3 * step + 1).collect();
        let cost = |variant, joined: &[u128]| {
            let (mut values, mut cost) = (labels.clone(), JoinCost::default());
            filter(
                JoinRule::exact(variant),
                &mut values,
                &labels,
                joined,
                &mut cost,
            )
            .expect("subset");
            cost
        };
        let [a, b, c, d] = JoinVariant::ALL.map(|variant| cost(variant, &contiguous));
        assert!(a.moves > 1_000 && b.moves == 50 && c.moves == 50 && d.moves == 50);
        assert!(d.compares < b.compares && b.compares < c.compares);
        assert_eq!(a.compares, b.compares);
        let [_, b, c, d] = JoinVariant::ALL.map(|variant| cost(variant, &scattered));
        assert!(
            b.compares < d.compares && b.compares < c.compares,
            "gaps favour walking"
        );
    }
}

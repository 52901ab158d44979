//! How much worse than the mark a delegate may trade (rule X9).

use flagstone_interface::slab::{INSTRUMENTS, PoolId, item_at};
use flagstone_slab_engine::layout::Instrument;
use flagstone_units::PPM_ONE;

/// Mark of an instrument as its slab has it, in ticks; `None` when the slab has
/// no such instrument.
pub fn mark_ticks(data: &[u8], instrument: u8) -> Option<u32> {
    let number = u32::from(instrument) + 1;
    let known = number <= INSTRUMENTS as u32;
    let instrument: &Instrument = item_at(data, PoolId::Instruments, number).filter(|_| known)?;
    Some(instrument.mark.0)
}

/// Whether a price is no worse than the mark by more than `band_ppm` of it. A
/// better one always is: what harms an owner is buying dear and selling cheap.
pub fn is_within(buys: bool, worst_ticks: u32, mark_ticks: u32, band_ppm: u32) -> bool {
    let (worst, mark) = (u64::from(worst_ticks), u64::from(mark_ticks));
    let band = u64::from(band_ppm).min(PPM_ONE);
    // 32 bits times 21: no overflow.
    match buys {
        true => worst * PPM_ONE <= mark * (PPM_ONE + band),
        false => worst * PPM_ONE >= mark * PPM_ONE.saturating_sub(band),
    }
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn x9_a_band_ends_at_the_last_tick_within_it() {
        for (mark, band, most, least) in [
            (10_000, 0, 10_000, 10_000),
            (10_000, 1_000, 10_010, 9_990),
            (10_001, 1_000, 10_011, 9_991),
            (1, 999_999, 1, 1),
            (1, 1_000_000, 2, 0),
            (0, 1_000_000, 0, 0),
        ] {
            assert!(is_within(true, most, mark, band), "{mark} {band}");
            assert!(!is_within(true, most + 1, mark, band), "{mark} {band}");
            assert!(is_within(false, least, mark, band), "{mark} {band}");
            assert!(least == 0 || !is_within(false, least - 1, mark, band));
            // Better prices have no end.
            assert!(is_within(true, 0, mark, band) && is_within(false, u32::MAX, mark, band));
        }
        assert!(is_within(true, u32::MAX, u32::MAX, u32::MAX));
        assert!(is_within(false, 0, u32::MAX, u32::MAX));
    }
}

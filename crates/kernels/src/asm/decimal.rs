//! Numbers with 18 decimals, as text.

use super::alloc::format;
use super::alloc::string::String;

const DECIMALS: usize = 18;

/// Reads a decimal without sign, such as `12`, `0.5` or `1.000000000000000001`.
///
/// `None` when it is no such number, has more than 18 decimals or does not fit.
pub fn parse_decimal(text: &str) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let bare = whole.is_empty() || (text.contains('.') && fraction.is_empty());
    if bare || !digits(whole) || !digits(fraction) || fraction.len() > DECIMALS {
        return None;
    }
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
    whole
        .checked_mul(10u128.pow(DECIMALS as u32))?
        .checked_add(fraction)
}

/// Writes a number with 18 decimals, without the zeros that end it.
pub fn format_decimal(value: u128) -> String {
    let one = 10u128.pow(DECIMALS as u32);
    let (whole, fraction) = (value / one, value % one);
    if fraction == 0 {
        return format!("{whole}");
    }
    let digits = format!("{fraction:0DECIMALS$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

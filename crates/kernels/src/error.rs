//! What a kernel can refuse.

/// Why arithmetic has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MathError {
    /// The result does not fit 128 bits, or a difference is below zero.
    Overflow,
    /// Division by zero; the paper's runtime traps there.
    DivisionByZero,
}

/// Why a kernel did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KernelError {
    /// Arithmetic had no result.
    Math(MathError),
    /// A slot beyond the market's last asset.
    SlotOutOfRange,
    /// The asset at a slot has another label than its caller believes.
    LabelMismatch,
    /// Lists that belong together have different lengths.
    LengthMismatch,
    /// A list of slots is not strictly increasing.
    SlotsUnsorted,
    /// A label is in the market already.
    LabelDuplicate,
    /// The market has no room for another asset.
    MarketFull,
    /// A constituent's weight is zero.
    ZeroWeight,
    /// A fraction is above one.
    FractionAboveOne,
    /// More is taken than there is.
    Insufficient,
    /// A book without levels on one side, or whose best prices cross.
    BadBook,
}

impl From<MathError> for KernelError {
    #[inline(always)]
    fn from(error: MathError) -> Self {
        Self::Math(error)
    }
}

impl core::fmt::Display for KernelError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Math(MathError::Overflow) => "a number does not fit 128 bits or is below zero",
            Self::Math(MathError::DivisionByZero) => "division by zero",
            Self::SlotOutOfRange => "the market has no such slot",
            Self::LabelMismatch => "the slot holds another asset",
            Self::LengthMismatch => "lists of different lengths",
            Self::SlotsUnsorted => "slots are not strictly increasing",
            Self::LabelDuplicate => "the asset is in the market already",
            Self::MarketFull => "the market is full",
            Self::ZeroWeight => "a weight is zero",
            Self::FractionAboveOne => "a fraction is above one",
            Self::Insufficient => "more is taken than there is",
            Self::BadBook => "an empty or crossed book",
        })
    }
}

impl core::error::Error for KernelError {}

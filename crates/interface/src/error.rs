//! Error codes: stable numbers, one sentence each.

macro_rules! errors {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $text:literal])+ $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[doc = $text])+ $variant = $code,)*
        }

        impl $name {
            /// Every error of the program.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number that the program returns.
            #[inline(always)]
            pub const fn code(self) -> u32 {
                self as u32
            }

            /// The error with this number.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Name of the variant.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            /// What went wrong, in a sentence.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($text),+),)*
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(out, "{} ({}):{}", self.name(), self.code(), self.message())
            }
        }

        impl core::error::Error for $name {}
    };
}

errors! {
    /// Errors of the Slab.
    SlabError {
        /// The account is not a slab of this program, or of another version.
        NotASlab = 6000,
        /// The account already holds data.
        AlreadyInitialized = 6001,
        /// The capacities do not fit the account, or one of them is zero or too large.
        BadCapacities = 6002,
        /// The signer is not the slab's authority.
        WrongAuthority = 6003,
        /// The slab's address does not derive from the signer, the seed and this program.
        WrongAddress = 6004,
        /// An instrument parameter is out of range.
        BadInstrument = 6005,
        /// All instruments are taken.
        InstrumentsFull = 6006,
        /// There is no such instrument.
        NoInstrument = 6007,
        /// The escrow is not an open escrow of the slab's Router for this slab.
        WrongEscrow = 6008,
        /// The escrow is not bound to this account index and generation.
        NotBound = 6009,
        /// All accounts are taken.
        AccountsFull = 6010,
        /// There is no open account at this index.
        NoAccount = 6011,
        /// The signer is not the account's trader key.
        WrongTrader = 6012,
        /// The escrow holds less than the deposit that opens an account.
        DepositTooSmall = 6013,
        /// A counter of the escrow ran backwards.
        CounterBackwards = 6014,
        /// The side, the order kind or the self-trade mode is unknown.
        BadOrderKind = 6015,
        /// The price is zero or above the instrument's largest.
        BadPrice = 6016,
        /// The price is outside the band around the mark.
        OutsideBand = 6017,
        /// The quantity is zero, below the smallest or above the largest.
        BadQuantity = 6018,
        /// The order would trade at once and is post-only.
        WouldCross = 6019,
        /// The order's expiry slot has passed.
        Expired = 6020,
        /// The account has no room for another order.
        AccountOrdersFull = 6021,
        /// The order pool is full and nothing rests further from the touch.
        OrdersFull = 6022,
        /// The level pool is full and nothing rests further from the touch.
        LevelsFull = 6023,
        /// The position pool is full.
        PositionsFull = 6024,
        /// The quantity at one price does not fit a level.
        LevelOverflow = 6025,
        /// The account is frozen: it may only reduce its positions.
        AccountFrozen = 6026,
        /// The order belongs to another account.
        NotYourOrder = 6027,
        /// All holds or slices are taken, or the account holds too many.
        HoldsFull = 6028,
        /// The account's equity would be below its initial margin.
        BelowInitialMargin = 6029,
        /// The position would exceed the instrument's largest.
        PositionTooLarge = 6030,
        /// Less than the minimum quantity could be filled.
        NotFilled = 6031,
        /// The instruction may not be called by another program.
        CalledByProgram = 6032,
        /// An amount does not fit its field.
        AmountOverflow = 6033,
        /// There is no live hold with this handle.
        NoHold = 6034,
        /// The escrow has no live capability for this hold, or it has expired.
        NoCap = 6035,
        /// The mark left the kill band since the hold was made.
        MarkMoved = 6036,
        /// The charge exceeds the hold's bound, its capability or the escrow.
        ChargeTooLarge = 6037,
        /// The amount is zero or above what the account may release now.
        ReleaseTooLarge = 6038,
        /// The mark is stale: only cancels, reductions and releases above margin are allowed.
        StaleMark = 6039,
        /// The instrument or the slab is reduce-only.
        ReduceOnlyStatus = 6040,
        /// A reduce-only order would not reduce the position.
        NotReducing = 6041,
        /// There is no live order with this handle.
        NoOrder = 6042,
        /// The revealed terms do not match the hold's commitment.
        BadReveal = 6043,
        /// The hold is below the smallest, or holds already cover their share of the side.
        HoldTooLarge = 6044,
        /// The batch of this window is open and nothing is pending.
        BatchOpen = 6045,
        /// The account is not the instrument's oracle, or does not carry its feed.
        WrongOracle = 6046,
        /// The oracle's price is stale, not newer than the last, uncertain or out of range.
        BadOraclePrice = 6047,
        /// The record is not the Router's for this slab.
        WrongRecord = 6048,
        /// The terms lie outside what the registry allows, or its entry is not active yet.
        OutsideRegistry = 6049,
        /// There are no proposed terms, their delay has not passed, or they have expired.
        NotDue = 6050,
        /// The ticket is older, exhausted, expired, or the portfolio is not liquidating.
        BadTicket = 6051,
        /// The account is not below its maintenance margin.
        Healthy = 6052,
        /// The positions are not opposite, profitable and sorted, or a more profitable one was left out.
        BadDeleverage = 6053,
        /// There is no such deficit to cover or allocate, or insurance has not paid yet.
        NoDeficit = 6054,
        /// The account holds cash, positions, orders or holds, a counter is not settled, or its escrow is still bound.
        NotEmpty = 6055,
        /// The account's orders are not due for cancelling by others.
        NotDeadMan = 6056,
        /// The leaves of the root add up to more than the slab was given.
        RootTooLarge = 6057,
        /// A setting is out of range, or batches would end while orders wait for one.
        BadSetting = 6058,
        /// The shift ticket is void, expired, used, or not for this account.
        BadShift = 6059,
    }
}

errors! {
    /// Errors of the Router.
    RouterError {
        /// The account is not the expected Router record.
        WrongRecord = 7000,
        /// The signer is not the administrator.
        WrongAdmin = 7001,
        /// The signer does not own the portfolio or escrow.
        WrongOwner = 7002,
        /// The mint is not the vault's, or not a mint of the SPL Token program.
        WrongMint = 7003,
        /// The slab is not registered, not active or not owned by its registered program.
        WrongSlab = 7004,
        /// The amount is zero.
        ZeroAmount = 7005,
        /// The portfolio's free cash, or what it holds of a collateral mint, is below the amount.
        NotEnoughCash = 7006,
        /// The escrow is bound to a live account of the slab.
        AlreadyBound = 7007,
        /// The slab has no free account.
        SlabFull = 7008,
        /// The instruction may not be called by another program.
        CalledByProgram = 7009,
        /// An amount does not fit its field.
        AmountOverflow = 7010,
        /// The record exists already.
        AlreadyExists = 7011,
        /// The address is not the one derived from its seeds.
        WrongAddress = 7012,
        /// The trader key is zero or the owner's wallet, which must never sign for a slab.
        BadTrader = 7013,
        /// The slab's program was redeployed or changed hands since its attestation.
        WrongProgramVersion = 7014,
        /// The slab account and the escrow do not name each other.
        NotBound = 7015,
        /// A counter of the slab ran backwards, or it charged more than its capabilities allow.
        BadCounters = 7016,
        /// A leg of the route is missing, doubled, out of order or not as signed.
        BadRoute = 7017,
        /// The hold is not live, belongs to another account or route, or has expired.
        BadHold = 7018,
        /// All capability records of the escrow are live.
        CapsFull = 7019,
        /// A hold of the route was not committed.
        NotCommitted = 7020,
        /// The capability has not expired.
        NotExpired = 7021,
        /// There is no such live capability.
        NoCap = 7022,
        /// A fact or limit of the instrument is out of range.
        BadInstrument = 7023,
        /// The slab account is not closed, or a counter is not settled.
        NotClosed = 7024,
        /// The slab's delay of new terms is below the least that is allowed.
        DelayTooShort = 7025,
        /// The portfolio is under liquidation, or the escrow is frozen.
        Liquidating = 7026,
        /// The slab account is not below its maintenance margin at fresh marks, or has none.
        Healthy = 7027,
        /// The slab account does not cover its initial margin at fresh marks.
        NotRestored = 7028,
        /// The account is not under liquidation, its grace runs, or a ticket is out.
        NoTicketDue = 7029,
        /// There is no debt without positions, or insurance may not pay more.
        NoCover = 7030,
        /// The owner's consent, the free cash or the need is used up.
        NothingToShift = 7031,
        /// The portfolio has as many slab accounts as it may have.
        TooManySlabs = 7032,
        /// The slab's record of the account does not add up.
        Unreadable = 7033,
        /// The amount is above what the limit has left, or claims wait; it may be queued as a claim.
        OverLimit = 7034,
        /// There is no such claim, it is not the next one, it is too small, or the portfolio has one already.
        BadClaim = 7035,
        /// As many claims wait as may wait.
        ClaimsFull = 7036,
        /// A setting is out of range.
        BadSetting = 7037,
        /// The proposal is not open, or its payload or accounts do not fit.
        BadProposal = 7038,
        /// The delay has not passed, or the proposal has expired.
        NotDue = 7039,
        /// The signer is not the guardian, or may not cancel its own replacement.
        WrongGuardian = 7040,
        /// New risk is paused.
        Paused = 7041,
        /// The pause is too long, or the last one is too recent.
        PauseTooLong = 7042,
        /// A governance instruction may not be in a transaction with a durable nonce.
        DurableNonce = 7043,
        /// The program's hash is missing, unfinished, of another deployment or not the recorded one.
        BadHash = 7044,
        /// The slab shows no complete root that is newer, within its backing and due to be copied.
        BadRoot = 7045,
        /// The leaf is not this escrow's, or not under the root.
        BadProof = 7046,
        /// The slab is not closed to its users, or the escrow has left it already.
        NoExit = 7047,
        /// The portfolio is closed.
        PortfolioClosed = 7048,
        /// The portfolio holds cash or collateral, a claim waits, or an escrow is bound or was not shown.
        PortfolioNotEmpty = 7049,
        /// The slabs shown are not those of the grid, or none of them has a rate.
        BadGrid = 7050,
        /// No more slabs fit the grid.
        GridFull = 7051,
        /// The vault holds no more than what is booked.
        NothingToSkim = 7052,
        /// The mint, its oracle or its terms cannot be those of collateral.
        BadCollateral = 7053,
        /// The collateral's price is stale, uncertain or not from its oracle.
        BadCollateralPrice = 7054,
        /// Collateral stays while its portfolio is under liquidation.
        CollateralLocked = 7055,
        /// There is no deficit left that collateral has to pay.
        NoDeficit = 7056,
        /// The auction asks more than the buyer would pay, or has not begun.
        BidTooLow = 7057,
        /// The delegate's route is priced outside of its band around the mark.
        OutsideBand = 7058,
        /// The exposure shown is of another escrow or too old.
        BadExposure = 7059,
        /// Beside the instruction its transaction may only set the compute budget.
        NotAlone = 7060,
        /// The mint takes no more deposits, or not as much.
        CollateralFull = 7061,
    }
}

errors! {
    /// Errors of the index-vault: orders and lots.
    IndexError {
        /// The account is not the expected record, or of another version.
        WrongRecord = 8000,
        /// The account already holds data.
        AlreadyInitialized = 8001,
        /// The account is too short, misaligned, or a capacity is zero or too large.
        BadCapacity = 8002,
        /// A limit or parameter is out of range.
        BadParameter = 8003,
        /// The signer does not hold the role that the action needs.
        WrongSigner = 8004,
        /// The key already holds another role of the desk.
        RoleTaken = 8005,
        /// The role, state, action or side is unknown.
        UnknownCode = 8006,
        /// The record's state does not allow the action.
        IllegalTransition = 8007,
        /// The action changes two records and cannot be taken on one alone.
        NeedsCounterpart = 8008,
        /// This half of the barrier was given already.
        BarrierRepeated = 8009,
        /// Both halves of the barrier were given by one signer.
        SameSigner = 8010,
        /// The records do not belong together.
        WrongCounterpart = 8011,
        /// The amount is zero.
        ZeroAmount = 8012,
        /// An amount does not fit its field or would fall below zero.
        AmountOverflow = 8013,
        /// The amount is not the one that the record calls for.
        WrongAmount = 8014,
        /// The lots hold less than the amount.
        NotEnoughCollateral = 8015,
        /// The deposit's number is not above the last one seen.
        DepositRepeated = 8016,
        /// All lots of the account are taken.
        LotsFull = 8017,
        /// All spend lots of the position are taken.
        SpendsFull = 8018,
        /// All update lots of the order are taken.
        UpdatesFull = 8019,
        /// The side does not allow the action.
        WrongSide = 8020,
        /// The deadline or waiting time has not passed.
        TooEarly = 8021,
        /// The deadline has passed.
        TooLate = 8022,
        /// The collateral exceeds what a batch or an order may engage.
        AboveVolley = 8023,
        /// All members of the batch are taken.
        BatchFull = 8024,
        /// The contribution fractions of an asset sum to more than one.
        FractionsAboveOne = 8025,
        /// A list is given out of order, twice or beyond its end.
        OutOfOrder = 8026,
        /// The order is not a member of the batch, or in another standing.
        NotAMember = 8027,
        /// A member, an asset or an engagement is still missing.
        Incomplete = 8028,
        /// The price or the fee is above the limit of the asset.
        AboveLimitPrice = 8029,
        /// The fill's number is not above the last one seen.
        FillRepeated = 8030,
        /// The quantity exceeds what is still ordered.
        AboveOrdered = 8031,
        /// The quantity exceeds what the fills of the batch support.
        AboveFill = 8032,
        /// The cost exceeds the collateral engaged.
        Overspend = 8033,
        /// There is no such lot, or it has not that much left.
        NoLot = 8034,
        /// A list of an event exceeds its room.
        ScratchFull = 8035,
        /// The market data is older than its limit.
        StaleMarket = 8036,
        /// The quote is older than its limit or was made from too old a market sequence.
        StaleQuote = 8037,
        /// A sequence number or slot ran backwards.
        SequenceBackwards = 8038,
        /// One chunk exceeds the largest order size.
        AboveMaxOrder = 8039,
        /// The chunk trades at a worse price than the order allows.
        WorsePrice = 8040,
        /// The chunk takes more of an asset than the order's frozen share.
        AboveAllotment = 8041,
        /// The account does not lie at the address that its seeds derive.
        WrongAddress = 8042,
        /// The mint or token account is not the expected one of SPL Token.
        WrongMint = 8043,
        /// Another program made this call.
        CalledByProgram = 8044,
        /// The slot and the label do not name an asset of the market.
        WrongAsset = 8045,
        /// The market or the index has no room for more assets.
        MarketFull = 8046,
        /// The asset is there already, or a list of slots is not increasing.
        AssetRepeated = 8047,
        /// The order book is empty, crossed or out of order.
        BadBook = 8048,
        /// A weight is zero or its square does not fit.
        BadWeight = 8049,
        /// The stored program is refused by validation.
        BadProgram = 8050,
        /// The stored program failed while it ran.
        ProgramFailed = 8051,
        /// The weights that it was made for are no longer in force.
        OldWeights = 8052,
        /// The new weights move the value of a token by more than their bound.
        ValueMoved = 8053,
        /// A program that the stored program calls is missing, or calls one of its callers.
        SubroutineMissing = 8054,
        /// The stored program takes more steps than a run may.
        OutOfSteps = 8055,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_dense_and_explained() {
        for (at, error) in SlabError::ALL.iter().enumerate() {
            assert_eq!(error.code(), 6000 + at as u32);
            assert_eq!(SlabError::from_code(error.code()), Some(*error));
            assert!(error.message().ends_with('.'), "{error}");
        }
        for (at, error) in RouterError::ALL.iter().enumerate() {
            assert_eq!(error.code(), 7000 + at as u32);
            assert_eq!(RouterError::from_code(error.code()), Some(*error));
            assert!(error.message().ends_with('.'), "{error}");
        }
        for (at, error) in IndexError::ALL.iter().enumerate() {
            assert_eq!(error.code(), 8000 + at as u32);
            assert_eq!(IndexError::from_code(error.code()), Some(*error));
            assert!(error.message().ends_with('.'), "{error}");
        }
        assert_eq!(SlabError::from_code(0), None);
    }
}

//! Numbers of the instructions: the first byte of their data.
//!
//! Arguments follow in borsh encoding; the SDK's builders document each
//! account list.

/// Instructions of the Slab.
pub mod slab {
    /// Turns a zeroed account into an empty slab.
    pub const INITIALIZE: u8 = 0;
    /// Adds an instrument.
    pub const ADD_INSTRUMENT: u8 = 1;
    /// Opens the account that an escrow was bound to.
    pub const OPEN_ACCOUNT: u8 = 2;
    /// Credits deposits that the Router recorded.
    pub const SYNC: u8 = 3;
    /// Places an order.
    pub const PLACE: u8 = 4;
    /// Cancels a resting order by handle.
    pub const CANCEL: u8 = 5;
    /// Trades against the book at once.
    pub const TAKE: u8 = 6;
    /// Captures resting quantity at its prices.
    pub const RESERVE: u8 = 7;
    /// Trades a hold and charges its capability.
    pub const COMMIT: u8 = 8;
    /// Ends a hold without trading.
    pub const CANCEL_HOLD: u8 = 9;
    /// Ends holds whose expiry has passed.
    pub const EXPIRE_HOLDS: u8 = 10;
    /// Frees the record of a committed and booked hold.
    pub const FREE_HOLD: u8 = 11;
    /// Gives cash back to the escrow.
    pub const RELEASE: u8 = 12;
    /// Cancels an account's orders, all or one side, newest first.
    pub const CANCEL_ALL: u8 = 13;
    /// Cancels one order and places another in its stead.
    pub const REPLACE: u8 = 14;
    /// Takes lots off a resting order, which keeps its place in the queue.
    pub const REDUCE: u8 = 15;
    /// Cancels and places several orders of one instrument.
    pub const BATCH_UPDATE: u8 = 16;
    /// Sets the slot after which anyone may cancel the account's orders.
    pub const SET_DEAD_MAN: u8 = 17;
    /// Cancels the orders of an account whose dead-man slot has passed.
    pub const CANCEL_DEAD_MAN: u8 = 18;
    /// Removes orders whose expiry has passed.
    pub const EXPIRE_ORDERS: u8 = 19;
    /// Opens a batch and promotes pending orders.
    pub const BATCH_OPEN: u8 = 20;
    /// Takes the oracle's price and moves the mark.
    pub const UPDATE_MARK: u8 = 21;
    /// Accrues funding and takes the shared rate.
    pub const UPDATE_FUNDING: u8 = 22;
    /// Sweeps the book for an account under liquidation.
    pub const LIQUIDATION_CALL: u8 = 23;
    /// Closes a bankrupt position against opposite ones.
    pub const DELEVERAGE: u8 = 24;
    /// Allocates the recognised deficit to the slab's profits.
    pub const ALLOCATE_DEFICIT: u8 = 25;
    /// Hashes the next pages of the Merkle root.
    pub const PUBLISH_ROOT: u8 = 26;
    /// Proposes terms of an instrument.
    pub const PROPOSE_TERMS: u8 = 27;
    /// Applies proposed terms after their delay.
    pub const APPLY_TERMS: u8 = 28;
    /// Sets the status of the slab or of one instrument.
    pub const SET_STATUS: u8 = 29;
    /// Names or dismisses a designated liquidity provider.
    pub const SET_DLP: u8 = 30;
    /// Sets the slab's own limits.
    pub const SET_LIMITS: u8 = 31;
    /// Closes an empty account.
    pub const CLOSE_ACCOUNT: u8 = 32;
    /// Frees a closed account whose escrow the Router has unbound.
    pub const FREE_ACCOUNT: u8 = 33;
    /// Names the next authority.
    pub const HAND_OVER: u8 = 34;
    /// The named authority takes over.
    pub const TAKE_OVER: u8 = 35;
    /// Gives cash back for an account under liquidation, by the Router's ticket.
    pub const RELEASE_SHIFT: u8 = 36;
}

/// Instructions of the Router.
pub mod router {
    /// Creates the configuration and the quote vault.
    pub const INITIALIZE: u8 = 0;
    /// Adds a slab to the registry.
    pub const REGISTER_SLAB: u8 = 1;
    /// Opens a portfolio.
    pub const OPEN_PORTFOLIO: u8 = 2;
    /// Moves tokens into the vault and credits portfolio cash.
    pub const DEPOSIT: u8 = 3;
    /// Opens an escrow for one slab.
    pub const OPEN_ESCROW: u8 = 4;
    /// Binds an escrow to the slab account that opens next.
    pub const BIND_ESCROW: u8 = 5;
    /// Moves portfolio cash to a slab as standing margin.
    pub const FUND_SLAB: u8 = 6;
    /// Moves portfolio cash back to a token account of the owner.
    pub const WITHDRAW: u8 = 7;
    /// Changes the session key of an escrow.
    pub const SET_TRADER: u8 = 8;
    /// Mints capabilities for the holds of a route.
    pub const OPEN_ROUTE: u8 = 9;
    /// Books a route's charges and refunds the rest.
    pub const SETTLE_ROUTE: u8 = 10;
    /// Books everything that one slab account owes or is owed.
    pub const SETTLE: u8 = 11;
    /// Returns what an expired capability has left.
    pub const REFUND: u8 = 12;
    /// Records the slab program's deployment anew.
    pub const ATTEST_SLAB: u8 = 13;
    /// Sets what an instrument of a slab may be.
    pub const REGISTER_INSTRUMENT: u8 = 14;
    /// Unbinds an escrow from an account that closed.
    pub const UNBIND_ESCROW: u8 = 15;
    /// Finds a slab account below its maintenance margin and freezes its escrow.
    pub const BEGIN_LIQUIDATION: u8 = 16;
    /// Issues a ticket to close part of a frozen account's positions.
    pub const ISSUE_TICKET: u8 = 17;
    /// Finds margin restored and unfreezes the escrow.
    pub const END_LIQUIDATION: u8 = 18;
    /// Moves free cash to an account under liquidation.
    pub const SHIFT_MARGIN: u8 = 19;
    /// Sets how much free cash anyone may move there.
    pub const SET_LIABILITY_MAX: u8 = 20;
    /// Pays a bankrupt account's debt from the slab's insurance.
    pub const COVER_BAD_DEBT: u8 = 21;
    /// Books the fees that a slab kept.
    pub const COLLECT_FEES: u8 = 22;
    /// Pays collected fees to the slab's authority.
    pub const WITHDRAW_FEES: u8 = 23;
    /// Adds tokens to a slab's insurance.
    pub const FUND_INSURANCE: u8 = 24;
    /// Issues a ticket to release margin at one slab for an account under liquidation at another.
    pub const ISSUE_SHIFT: u8 = 25;
    /// Records what an account holds at its slab.
    pub const REFRESH_EXPOSURE: u8 = 26;
    /// Computes the shared funding rate of an underlying.
    pub const UPDATE_FUNDING_GRID: u8 = 27;
    /// Books what a vault holds beyond its books to a slab's insurance.
    pub const SKIM_SURPLUS: u8 = 28;
    /// Brings a slab's place in a funding grid in line with the registry.
    pub const LIST_IN_GRID: u8 = 29;
    /// Queues a withdrawal above the limit.
    pub const CLAIM_WITHDRAWAL: u8 = 30;
    /// Pays the next claim as far as the limit allows.
    pub const PAY_CLAIM: u8 = 31;
    /// Turns a claim back into cash.
    pub const CANCEL_CLAIM: u8 = 32;
    /// Proposes a change by the hash of its payload.
    pub const PROPOSE: u8 = 33;
    /// Executes a proposal after its delay.
    pub const EXECUTE: u8 = 34;
    /// Cancels a proposal.
    pub const CANCEL_PROPOSAL: u8 = 35;
    /// Pauses new risk for a while.
    pub const PAUSE: u8 = 36;
    /// Ends a pause early.
    pub const UNPAUSE: u8 = 37;
    /// The named administrator takes office.
    pub const TAKE_OVER: u8 = 38;
    /// Hashes the next chunks of a program.
    pub const HASH_PROGRAM: u8 = 39;
    /// Records a program's hash in its slab's entry, or finds it unchanged.
    pub const CONFIRM_PROGRAM: u8 = 40;
    /// Copies the root that a slab published.
    pub const VERIFY_ROOT: u8 = 41;
    /// Leaves a quarantined slab.
    pub const EXIT_BY_PROOF: u8 = 42;
    /// Names a delegate and what it may move.
    pub const SET_DELEGATE: u8 = 43;
    /// Marks an empty portfolio closed.
    pub const CLOSE_PORTFOLIO: u8 = 44;
    /// Moves tokens of a collateral mint into their vault.
    pub const DEPOSIT_COLLATERAL: u8 = 45;
    /// Moves collateral back to a token account of the owner.
    pub const WITHDRAW_COLLATERAL: u8 = 46;
    /// Buys collateral of a portfolio under liquidation for quote.
    pub const LIQUIDATE_COLLATERAL: u8 = 47;
}

/// Instructions of the index-vault.
pub mod index {
    /// Turns a zeroed account into a market.
    pub const CREATE_MARKET: u8 = 0;
    /// Sets a market's vendor, ages and pause.
    pub const SET_MARKET: u8 = 1;
    /// Adds assets to a market.
    pub const ADD_ASSETS: u8 = 2;
    /// Takes prices, slopes and liquidity as such.
    pub const SUBMIT_DATA: u8 = 3;
    /// Takes order books and works out prices, slopes and liquidity.
    pub const SUBMIT_BOOKS: u8 = 4;
    /// Takes the vendor's supply.
    pub const SUBMIT_SUPPLY: u8 = 5;
    /// Takes margins.
    pub const SUBMIT_MARGIN: u8 = 6;
    /// Turns a zeroed account into an index and creates its mint.
    pub const CREATE_INDEX: u8 = 7;
    /// Adds constituents to an index that is not sealed.
    pub const ADD_CONSTITUENTS: u8 = 8;
    /// Ends the making of an index: its weights are in force.
    pub const SEAL_INDEX: u8 = 9;
    /// Sets an index's limits and pause.
    pub const SET_INDEX: u8 = 10;
    /// Makes an index's quote from the market's data.
    pub const UPDATE_QUOTE: u8 = 11;
    /// Makes an order and takes what it gives.
    pub const SUBMIT_ORDER: u8 = 12;
    /// Executes the next chunk of an order.
    pub const EXECUTE: u8 = 13;
    /// Executes the next chunk of a member of an allotment.
    pub const EXECUTE_MEMBER: u8 = 14;
    /// Pays out what an order received.
    pub const CLAIM: u8 = 15;
    /// Ends an order and gives back what it did not use.
    pub const CANCEL_ORDER: u8 = 16;
    /// Adds collateral to a market's reserve.
    pub const FUND_RESERVE: u8 = 17;
    /// Takes collateral out of a market's reserve.
    pub const DRAW_RESERVE: u8 = 18;
    /// Opens a desk.
    pub const OPEN_DESK: u8 = 19;
    /// Grants a role of a desk.
    pub const GRANT_ROLE: u8 = 20;
    /// Replaces a desk's limits.
    pub const SET_LIMITS: u8 = 21;
    /// Turns a zeroed account into an allotment.
    pub const CREATE_ALLOTMENT: u8 = 22;
    /// Adds an order to an allotment.
    pub const JOIN_ALLOTMENT: u8 = 23;
    /// Freezes the shares of an allotment.
    pub const SEAL_ALLOTMENT: u8 = 24;
    /// Takes an order out of an allotment.
    pub const LEAVE_ALLOTMENT: u8 = 25;
    /// Stores a program of the vector machine.
    pub const STORE_PROGRAM: u8 = 26;
    /// Runs a stored program on a market's and an index's vectors.
    pub const EXECUTE_VIL: u8 = 27;
    /// Opens the custody of a desk's collateral.
    pub const OPEN_CUSTODY: u8 = 28;
    /// Sets where a desk is paid.
    pub const SET_PAYOUT: u8 = 29;
    /// Opens a user's collateral position at a desk.
    pub const OPEN_POSITION: u8 = 30;
    /// Moves collateral into a desk's custody and opens a lot.
    pub const DEPOSIT: u8 = 31;
    /// Routed collateral is ready.
    pub const MAKE_READY: u8 = 32;
    /// Pays ready collateral back to its owner.
    pub const WITHDRAW: u8 = 33;
    /// Pays collateral that nobody routed back to its owner.
    pub const RECLAIM: u8 = 34;
    /// Submits an index order to a desk.
    pub const SUBMIT_INTENT: u8 = 35;
    /// Takes an action that changes an index order alone.
    pub const STEP_INTENT: u8 = 36;
    /// Takes off an index order, or turns it around.
    pub const REDUCE_INTENT: u8 = 37;
    /// Ends an index order without payment.
    pub const END_INTENT: u8 = 38;
    /// Charges a hop of an order's collateral.
    pub const HOP: u8 = 39;
    /// Sets collateral aside for an index order.
    pub const PREAUTHORISE: u8 = 40;
    /// Turns a zeroed account into a batch.
    pub const CREATE_BATCH: u8 = 41;
    /// Sets the next assets of a batch.
    pub const SET_BATCH_ASSETS: u8 = 42;
    /// Adds an index order to a batch.
    pub const JOIN_BATCH: u8 = 43;
    /// Sets the next contributions and fractions of a member.
    pub const SET_BATCH_CELLS: u8 = 44;
    /// Freezes a batch.
    pub const SEAL_BATCH: u8 = 45;
    /// Drops a member that was not locked.
    pub const DROP_MEMBER: u8 = 46;
    /// Locks an index order into its batch.
    pub const ENGAGE: u8 = 47;
    /// Sends a batch to the venues.
    pub const SEND_BATCH: u8 = 48;
    /// Opens a desk's inventory of an asset.
    pub const OPEN_INVENTORY: u8 = 49;
    /// Books a venue's fill for a batch and in the inventory.
    pub const REPORT_FILL: u8 = 50;
    /// Cancels what is open of a batch's asset.
    pub const CANCEL_REST: u8 = 51;
    /// Books what a batch bought for an index order.
    pub const FILL_INTENT: u8 = 52;
    /// Ends a batch of which nothing is open.
    pub const COMPLETE_BATCH: u8 = 53;
    /// Lets an index order leave a batch that is over.
    pub const CARRY_OVER: u8 = 54;
    /// Opens a desk's carry-over of an asset.
    pub const OPEN_CARRY: u8 = 55;
    /// Moves carried lots into a batch.
    pub const DRAW_CARRY: u8 = 56;
    /// Moves lots that no order took to the carry-over.
    pub const RETIRE_LOTS: u8 = 57;
    /// Frees the room of a batch that is over.
    pub const CLOSE_BATCH: u8 = 58;
    /// Charges what an index order spent and frees the rest.
    pub const CONFIRM_PAYMENT: u8 = 59;
    /// Mints the tokens of a paid index order.
    pub const MINT_INDEX: u8 = 60;
    /// Writes the invoice of a minted index order.
    pub const WRITE_INVOICE: u8 = 61;
    /// Drops the spend lots of an index order that has ended.
    pub const ARCHIVE_SPENDS: u8 = 62;
    /// Books a venue's fill in the inventory.
    pub const INVENTORY_FILL: u8 = 63;
    /// Attributes part of an inventory lot to a minted index order.
    pub const ASSIGN_LOT: u8 = 64;
    /// Makes room for more lots in an inventory or a carry-over.
    pub const GROW_RECORD: u8 = 65;
    /// Turns a zeroed account into that of an index's next weights.
    pub const CREATE_REBALANCE: u8 = 70;
    /// Collects new weights, and announces them when they are complete.
    pub const PROPOSE_WEIGHTS: u8 = 71;
    /// Brings the weights announced into force.
    pub const CHANGE_WEIGHTS: u8 = 72;
    /// Trades what a change of weights left to trade.
    pub const EXECUTE_REBALANCE: u8 = 73;
    /// Turns a zeroed account into a table of vectors for stored programs.
    pub const CREATE_TABLE: u8 = 74;
    /// Writes a vector of a table.
    pub const WRITE_TABLE: u8 = 75;
}

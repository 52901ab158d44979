//! What the machine needs from its surroundings: stored values and programs.

/// Why a value could not be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Nothing of this kind is stored under the id.
    NotFound,
    /// The value is longer than the memory that was offered.
    TooLong,
}

/// The store refused to keep a value; it may know why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Stored vectors and labels, by id.
///
/// The machine does not undo what a failed program stored: the caller runs it
/// in a transaction, or on a copy.
pub trait Store {
    /// Copies the vector `id` to the front of `into` and returns its length in elements.
    ///
    /// # Errors
    /// [`LoadError::TooLong`] when `into` is shorter than the vector, after which
    /// the machine may ask again with more room.
    fn load_vector(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError>;

    /// Copies the labels `id` as [`Self::load_vector`] does.
    ///
    /// # Errors
    /// As [`Self::load_vector`].
    fn load_labels(&self, id: u128, into: &mut [u128]) -> Result<usize, LoadError>;

    /// Keeps a vector, elements in units of 10^-18.
    ///
    /// # Errors
    /// When the store cannot or must not keep it.
    fn store_vector(&mut self, id: u128, vector: &[u128]) -> Result<(), Refused>;

    /// Keeps labels.
    ///
    /// # Errors
    /// When the store cannot or must not keep them.
    fn store_labels(&mut self, id: u128, labels: &[u128]) -> Result<(), Refused>;
}

/// Programs that other programs may run, by id.
pub trait Library {
    /// Bytecode of the program `id`.
    fn code(&self, id: u128) -> Option<&[u8]>;
}

/// A library with nothing in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLibrary;

impl Library for NoLibrary {
    fn code(&self, _id: u128) -> Option<&[u8]> {
        None
    }
}

impl Library for [(u128, &[u8])] {
    fn code(&self, id: u128) -> Option<&[u8]> {
        self.iter()
            .find(|(name, _)| *name == id)
            .map(|(_, code)| *code)
    }
}

/// Copies `from` to the front of `into`; what a [`Store`] over slices returns.
///
/// # Errors
/// [`LoadError::TooLong`] when it does not fit.
#[inline]
pub fn copy_words(from: &[u128], into: &mut [u128]) -> Result<usize, LoadError> {
    into.get_mut(..from.len())
        .ok_or(LoadError::TooLong)?
        .copy_from_slice(from);
    Ok(from.len())
}

//! Account data as the engine's views need it.

/// A copy of account data at an address that the engine's views can be put on.
pub(super) struct Aligned(Vec<u64>);

impl Aligned {
    pub(super) fn new(data: &[u8]) -> Self {
        let mut words = vec![0; data.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..data.len()].copy_from_slice(data);
        Self(words)
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

//! The keys and values of one sequence, as 16-bit floats, in the layout that
//! [`attention`](crate::kernel::attention) reads.

use crate::kernel::attention::TILE;

/// One sequence's keys and values in every layer. Grows as the sequence does.
pub(crate) struct Cache {
    layers: Vec<Layer>,
    width: usize,
    length: usize,
}

#[derive(Clone, Default)]
struct Layer {
    keys: Vec<u16>,
    values: Vec<u16>,
}

impl Cache {
    pub(crate) fn new(layers: usize, width: usize) -> Self {
        Self { layers: vec![Layer::default(); layers], width, length: 0 }
    }

    /// Positions held.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Forgets every position from `length` on.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Writes the `ahead`-th position after the last one, which becomes one with [`Cache::advance`].
    pub(crate) fn write(&mut self, layer: usize, ahead: usize, keys: &[f32], values: &[f32]) {
        let (position, width) = (self.length + ahead, self.width);
        let layer = &mut self.layers[layer];
        let tile = position / TILE;
        if layer.keys.len() < (tile + 1) * TILE * width {
            layer.keys.resize((tile + 1) * TILE * width, 0);
            layer.values.resize((tile + 1) * TILE * width, 0);
        }
        let tile = &mut layer.keys[tile * TILE * width..][..TILE * width];
        for (target, x) in tile[position % TILE..].iter_mut().step_by(TILE).zip(keys) {
            *target = narrow(*x);
        }
        for (target, x) in layer.values[position * width..].iter_mut().zip(values) {
            *target = narrow(*x);
        }
    }

    /// A layer's keys and values, those written ahead included.
    pub(crate) fn layer(&self, n: usize) -> (&[u16], &[u16]) {
        (&self.layers[n].keys, &self.layers[n].values)
    }

    /// Takes over positions written ahead in every layer.
    pub(crate) fn advance(&mut self, positions: usize) {
        self.length += positions;
    }
}

/// A 16-bit float that is finite for every finite input.
fn narrow(x: f32) -> u16 {
    half::f16::from_f32(x.clamp(-65_504.0, 65_504.0)).to_bits()
}

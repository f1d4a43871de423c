//! Values that are never printed, and where randomness comes from.

use std::{cell::RefCell, fmt};

use serde::Deserialize;

/// A text that stays out of logs, errors and debug output.
#[derive(Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself; the caller keeps it out of anything that is shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// Random bytes that were fetched together: the generator asks the processor for fresh entropy at each call, which takes
/// longer than everything else about an id.
struct Stock {
    bytes: [u8; Self::SIZE],
    left: usize,
}

impl Stock {
    const SIZE: usize = 512;

    /// Hands out bytes and forgets them.
    fn take(&mut self, wanted: &mut [u8]) {
        if self.left < wanted.len() {
            fill(&mut self.bytes);
            self.left = Self::SIZE;
        }
        let from = self.left - wanted.len();
        wanted.copy_from_slice(&self.bytes[from..self.left]);
        self.bytes[from..self.left].fill(0);
        self.left = from;
    }
}

thread_local! {
    static STOCK: RefCell<Stock> = const { RefCell::new(Stock { bytes: [0; Stock::SIZE], left: 0 }) };
}

/// `N` bytes from the operating system's generator.
///
/// # Panics
/// When the operating system gives no randomness: nothing that needs a secret may go on then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if N <= Stock::SIZE {
        STOCK.with_borrow_mut(|stock| stock.take(&mut bytes));
    } else {
        fill(&mut bytes);
    }
    bytes
}

fn fill(bytes: &mut [u8]) {
    #[expect(clippy::expect_used, reason = "without randomness every id and key would be guessable")]
    aws_lc_rs::rand::fill(bytes).expect("the operating system gives random bytes");
}

/// `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }

    #[test]
    fn random_bytes_are_handed_out_once() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..3 * Stock::SIZE / 24 {
            assert!(seen.insert(random::<24>()));
        }
        STOCK.with_borrow(|stock| assert!(stock.bytes[stock.left..].iter().all(|byte| *byte == 0)));
        assert_ne!(random::<1000>(), [0; 1000]);
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}

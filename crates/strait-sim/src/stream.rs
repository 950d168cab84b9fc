//! A named stream of random numbers as a generator of the `rand` crate, for the slow world.
//!
//! In: a [`Key`]. Out: the words at its indices 0, 1, 2, … through `rand`'s traits. The hot
//! loop asks keys directly. Never uses a distribution that leans on the platform's logarithm.

use crate::random::Key;
use rand::TryRng;
use std::convert::Infallible;

/// The words of a key, one after another.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    key: Key,
    next: u64,
}

impl Stream {
    /// From the key's word at index 0 on.
    pub const fn new(key: Key) -> Stream {
        Stream { key, next: 0 }
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.try_next_u64()? >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let word = self.key.at(self.next).word();
        self.next += 1;
        Ok(word)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn it_is_the_words_of_its_key() {
        let key = Key::new(7).purpose("test");
        let mut stream = Stream::new(key);
        assert_eq!(stream.random::<u64>(), key.at(0).word());
        assert_eq!(stream.random::<u64>(), key.at(1).word());
    }

    #[test]
    fn two_purposes_do_not_follow_each_other() {
        let mut a = Stream::new(Key::new(7).purpose("chips"));
        let mut b = Stream::new(Key::new(7).purpose("prices"));
        let equal = (0..1000).filter(|_| a.random::<bool>() == b.random::<bool>());
        let equal = equal.count();
        assert!((400..600).contains(&equal), "{equal} of 1000 alike");
    }

    #[test]
    fn uniform_numbers_fill_their_range() {
        let mut stream = Stream::new(Key::new(1).purpose("uniform"));
        let mean = (0..10_000).map(|_| stream.random::<f64>()).sum::<f64>() / 1e4;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }
}

//! Quantities with their units in the type: time, bytes, rates, money, energy.
//!
//! In: numbers and strings such as "400 GB/s". Out: newtypes that refuse to be
//! mixed up. This crate never knows what the quantities are of, and depends on
//! nothing but serde.
//!
//! | type | holds | unit |
//! |---|---|---|
//! | [`Time`] | `u64` | picoseconds |
//! | [`Bytes`] | `u64` | bytes |
//! | [`Bandwidth`] | `f64` | bytes per second, one direction |
//! | [`Flops`] | `f64` | floating-point operations |
//! | [`FlopRate`] | `f64` | floating-point operations per second |
//! | [`Power`], [`Energy`] | `f64` | watts, joules |
//! | [`Money`], [`PricePerHour`], [`PricePerEnergy`] | `f64` | US dollars; per hour; per joule |
//! | [`Tokens`] | `u64` | tokens |
//! | [`Ratio`] | `f64` | one |

mod quantity;
mod time;

pub use quantity::{
    Bandwidth, Bytes, Energy, FlopRate, Flops, Money, Power, PricePerEnergy, PricePerHour, Ratio,
    Tokens,
};
pub use time::Time;

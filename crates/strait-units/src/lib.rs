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
//! | [`Days`] | `f64` | days |
//! | [`FailureRate`] | `f64` | failures of one node a day |
//! | [`Ratio`] | `f64` | one |

//!
//! Every type parses from and prints to text with a unit, also through serde
//! (a file says `"400 GB/s"`, never `400`; only [`Ratio`] may be a bare number):
//!
//! ```
//! use strait_units::{Bandwidth, ParseError};
//!
//! let network: Bandwidth = "400 Gb/s".parse()?; // bits
//! let nvlink: Bandwidth = "900 GB/s both ways".parse()?;
//! assert_eq!(network.to_string(), "50 GB/s");
//! assert_eq!(nvlink.to_string(), "450 GB/s"); // one direction, always
//! assert!("400 Gb".parse::<Bandwidth>().is_err()); // an amount, not a rate
//! # Ok::<(), ParseError>(())
//! ```

mod number;
mod parse;
mod print;
mod quantity;
mod text;
mod time;
mod unit;

pub use parse::{Expected, ParseError, Reading};

pub use quantity::{
    Bandwidth, Bytes, Days, Energy, FailureRate, FlopRate, Flops, Money, Power, PricePerEnergy,
    PricePerHour, Ratio, Tokens,
};
pub use text::Quantity;
pub use time::Time;

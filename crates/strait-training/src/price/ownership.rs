//! What an owned accelerator costs in an hour of use.
//!
//! In: an [`Ownership`] and the rated power. Out: the parts of an hour's price. Never counts electricity,
//! which follows what the run does.

use super::inputs::{Depreciation, NetworkPrice, Ownership};
use strait_units::{Money, Power, PricePerHour};

/// Hours of a year, leap years shared out.
pub const HOURS_PER_YEAR: f64 = 8766.0;

/// Hours of a day.
const HOURS_PER_DAY: f64 = 24.0;

/// Days of a year.
const DAYS_PER_YEAR: f64 = HOURS_PER_YEAR / HOURS_PER_DAY;

/// Parts of an hour's price of one accelerator.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hourly {
    /// Its share of the server.
    pub servers: PricePerHour,
    /// Its share of the network between servers.
    pub network: PricePerHour,
    /// Its share of the building.
    pub facility: PricePerHour,
    /// Repairs.
    pub maintenance: PricePerHour,
    /// The hours that nobody uses.
    pub idle: PricePerHour,
}

impl Hourly {
    /// All of it.
    pub fn total(&self) -> PricePerHour {
        self.servers + self.network + self.facility + self.maintenance + self.idle
    }
}

/// What an hour of use costs.
pub fn hourly(own: &Ownership, rated: Power) -> Hourly {
    let server = own.server.get();
    let network = match own.network {
        NetworkPrice::Share(share) => server * share.get() / (1.0 - share.get()),
        NetworkPrice::Endpoint(price) => price.get(),
    };
    let lost = |price: f64| match own.depreciation {
        Depreciation::StraightLine { lifetime, resale } => {
            price * (1.0 - resale.get()) / (lifetime.get() * HOURS_PER_DAY)
        }
        Depreciation::Declining { rate, age } => {
            let years = age.get() / DAYS_PER_YEAR;
            price * libm::exp(-rate.get() * years) * rate.get() / HOURS_PER_YEAR
        }
    };
    let building = Money::new(own.facility.get() * rated.get());
    let mut parts = Hourly {
        servers: PricePerHour::new(lost(server)),
        network: PricePerHour::new(lost(network)),
        facility: PricePerHour::new(building.get() / (own.facility_lifetime.get() * HOURS_PER_DAY)),
        maintenance: PricePerHour::new(own.maintenance.get() * (server + network) / HOURS_PER_YEAR),
        idle: PricePerHour::ZERO,
    };
    // An hour in use pays for itself and for the hours that stand idle beside it.
    parts.idle = parts.total() * (1.0 / own.utilisation.get() - 1.0);
    parts
}

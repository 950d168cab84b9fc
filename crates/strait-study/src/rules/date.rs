//! Days, and periods known only to the month or the year.
//!
//! In: text such as `2023-10-17`, `2023-10` or `2023`. Out: days that there are, in order. Never asks what
//! day it is.

use serde::Deserialize;
use std::fmt;

/// A day of the calendar, from 1950 to 2100: rules on chips are of that age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// A stretch of days, such as a month of which the day is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub first: Date,
    /// Last day.
    pub last: Date,
}

/// Why a text is no date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not of the form.
    #[error("\"{0}\" is no date: write a day, a month or a year, as in 2023-10-17")]
    Form(String),
    /// A year that no rule can be of.
    #[error("the year {0} is out of range: Strait knows rules of 1950 to 2100, as in 2023-10-17")]
    Year(u32),
    /// No such month.
    #[error("a year has no month {month:02}: write a date as in 2023-10-17")]
    Month {
        /// What was written.
        month: u32,
    },
    /// No such day.
    #[error(
        "{year}-{month:02} has {days} days, and so no day {day}: write a date as in 2023-10-17"
    )]
    Day {
        /// Year.
        year: u32,
        /// Month.
        month: u32,
        /// Days of that month.
        days: u32,
        /// What was written.
        day: u32,
    },
}

const YEARS: std::ops::RangeInclusive<u32> = 1950..=2100;

impl Date {
    /// A whole day.
    ///
    /// # Errors
    ///
    /// [`DateError`]; a month or a year is none.
    pub fn parse(text: &str) -> Result<Date, DateError> {
        let period = Period::parse(text)?;
        if period.first == period.last {
            Ok(period.first)
        } else {
            Err(DateError::Form(text.to_owned()))
        }
    }
}

impl Date {
    /// The day after.
    #[must_use]
    pub fn next(self) -> Date {
        let (year, month, date) = (
            u32::from(self.year),
            u32::from(self.month),
            u32::from(self.day),
        );
        if date < days(year, month) {
            day(year, month, date + 1)
        } else if month < 12 {
            day(year, month + 1, 1)
        } else {
            day(year + 1, 1, 1)
        }
    }

    /// The day before.
    #[must_use]
    pub fn previous(self) -> Date {
        let (year, month, date) = (
            u32::from(self.year),
            u32::from(self.month),
            u32::from(self.day),
        );
        if date > 1 {
            day(year, month, date - 1)
        } else if month > 1 {
            day(year, month - 1, days(year, month - 1))
        } else {
            day(year - 1, 12, 31)
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A whole month or year as such, a day as a day, anything else by its first day.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.first;
        let text = first.to_string();
        for shorter in [text.get(..4), text.get(..7)].into_iter().flatten() {
            if Period::parse(shorter).is_ok_and(|p| p == *self) {
                return f.write_str(shorter);
            }
        }
        f.write_str(&text)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
        let text = String::deserialize(deserializer)?;
        Date::parse(&text).map_err(serde::de::Error::custom)
    }
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

fn day(year: u32, month: u32, day: u32) -> Date {
    Date {
        year: year as u16,
        month: month as u8,
        day: day as u8,
    }
}

impl Period {
    /// A day, a month or a year.
    ///
    /// # Errors
    ///
    /// [`DateError`], with the form that is wanted.
    pub fn parse(text: &str) -> Result<Period, DateError> {
        let form = || DateError::Form(text.to_owned());
        let mut numbers = Vec::new();
        for (place, part) in text.trim().split('-').enumerate() {
            let digits = if place == 0 { 4 } else { 2 };
            if part.len() != digits || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(form());
            }
            numbers.push(part.parse::<u32>().map_err(|_| form())?);
        }
        let year = *numbers.first().ok_or_else(form)?;
        if numbers.len() > 3 {
            return Err(form());
        }
        if !YEARS.contains(&year) {
            return Err(DateError::Year(year));
        }
        let Some(&month) = numbers.get(1) else {
            return Ok(Period {
                first: day(year, 1, 1),
                last: day(year, 12, 31),
            });
        };
        if !(1..=12).contains(&month) {
            return Err(DateError::Month { month });
        }
        let length = days(year, month);
        match numbers.get(2) {
            None => Ok(Period {
                first: day(year, month, 1),
                last: day(year, month, length),
            }),
            Some(&wanted) if (1..=length).contains(&wanted) => Ok(Period {
                first: day(year, month, wanted),
                last: day(year, month, wanted),
            }),
            Some(&wanted) => Err(DateError::Day {
                year,
                month,
                days: length,
                day: wanted,
            }),
        }
    }

    /// The last date that a remark such as `2022-03-22 announced / 2022-10 ship` names.
    pub fn last_in(remark: &str) -> Option<Period> {
        let words = remark.split([' ', '/', '(', ')', ',']);
        words
            .filter_map(|word| Period::parse(word).ok())
            .next_back()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_there_are_are_dates() {
        for good in ["1950-01-01", "2024-02-29", "2023-10-17", "2100-12-31"] {
            assert_eq!(Date::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "2023-02-30",
            "2023-02-29",
            "0000-01-01",
            "9999-01-01",
            "2023-13-01",
            "2023-00-01",
            "2023-10",
            "2023",
            "",
            "today",
            "17.10.2023",
            "2023-10-17-1",
            "2023-1-1",
            "２０２３-10-17",
        ] {
            assert!(Date::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Date::parse("2023-02-30").unwrap_err().to_string(),
            "2023-02 has 28 days, and so no day 30: write a date as in 2023-10-17"
        );
    }

    #[test]
    fn days_follow_each_other() {
        for (one, other) in [
            ("2024-02-28", "2024-02-29"),
            ("2023-02-28", "2023-03-01"),
            ("2023-12-31", "2024-01-01"),
            ("2022-08-25", "2022-08-26"),
        ] {
            let (one, other) = (Date::parse(one).unwrap(), Date::parse(other).unwrap());
            assert_eq!(one.next(), other);
            assert_eq!(other.previous(), one);
        }
    }

    #[test]
    fn a_launch_remark_is_read_to_its_last_date() {
        let last = |text: &str| Period::last_in(text).map(|p| p.last.to_string());
        assert_eq!(
            last("2022-03-22 announced / 2022-10 ship").as_deref(),
            Some("2022-10-31")
        );
        assert_eq!(
            last("2024-03-18 (largely not shipped)").as_deref(),
            Some("2024-03-18")
        );
        assert_eq!(last("2025").as_deref(), Some("2025-12-31"));
        assert_eq!(last("not released"), None);
    }
}

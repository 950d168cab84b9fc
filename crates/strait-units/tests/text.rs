//! What quantities accept, print and refuse. Prices and rates in the tables are
//! examples of form, not facts.

use proptest::prelude::*;
use strait_units::{
    Bandwidth, Bytes, Energy, FlopRate, Flops, Money, ParseError, Power, PricePerEnergy,
    PricePerHour, Quantity, Ratio, Time, Tokens,
};

/// Parses, prints, and reads the print again to the same value.
fn check<Q: Quantity + PartialEq + std::fmt::Debug>(text: &str, printed: &str) -> Q {
    let value: Q = text
        .parse()
        .unwrap_or_else(|e: ParseError| panic!("{text}: {e}"));
    assert_eq!(value.to_string(), printed, "print of {text:?}");
    assert_eq!(
        printed.parse::<Q>().unwrap(),
        value,
        "reading {printed:?} again"
    );
    value
}

fn refusal<Q: Quantity + std::fmt::Debug>(text: &str) -> String {
    match text.parse::<Q>() {
        Ok(value) => panic!("{text:?} was read as {value}"),
        Err(error) => error.to_string(),
    }
}

/// Refused with a message that contains every part.
fn refused<Q: Quantity + std::fmt::Debug>(text: &str, parts: &[&str]) {
    let message = refusal::<Q>(text);
    for part in parts {
        assert!(
            message.contains(part),
            "{text:?}: {message:?} lacks {part:?}"
        );
    }
}

#[test]
fn bandwidth_counts_one_direction_and_tells_bits_from_bytes() {
    for (text, printed) in [
        ("400 GB/s", "400 GB/s"),
        ("50 Gb/s", "6.25 GB/s"),
        ("400 Gb/s", "50 GB/s"),
        ("400 Gbit/s", "50 GB/s"),
        ("400Gbps", "50 GB/s"),
        ("900 GB/s both ways", "450 GB/s"),
        ("900 GB/s bidirectional", "450 GB/s"),
        ("900 GB/s (both directions)", "450 GB/s"),
        ("450 GB/s one-way", "450 GB/s"),
        ("450 GB/s per direction", "450 GB/s"),
        ("1_800 GB/s Both Ways", "900 GB/s"),
        ("3.35 TB/s", "3.35 TB/s"),
        ("1 GiB/s", "1.073741824 GB/s"),
        ("0 GB/s", "0 B/s"),
    ] {
        check::<Bandwidth>(text, printed);
    }
    assert_eq!("50 Gb/s".parse::<Bandwidth>().unwrap().get(), 6.25e9);
}

#[test]
fn every_quantity_reads_its_usual_forms() {
    check::<FlopRate>("989.4 TFLOPS", "989.4 TFLOPS");
    check::<FlopRate>("1.9789 PFLOP/s", "1978.9 TFLOPS");
    assert_eq!("989.4 TFLOPS".parse::<FlopRate>().unwrap().get(), 989.4e12);
    check::<Flops>("3.8e25 FLOPs", "38 YFLOP");
    assert_eq!(check::<Bytes>("80 GB", "80 GB").get(), 80_000_000_000);
    assert_eq!(check::<Bytes>("80 GiB", "80 GiB").get(), 85_899_345_920);
    assert_eq!(
        check::<Bytes>("84_943_110_144 B", "84.943110144 GB").get(),
        84_943_110_144
    );
    assert_eq!(
        check::<Bytes>("79.6 GiB", "85.46984919 GB").get(),
        85_469_849_190
    );
    check::<Power>("700 W", "700 W");
    check::<Power>("10.2 kW", "10.2 kW");
    check::<PricePerHour>("2.00 USD/h", "2 USD/h");
    check::<PricePerHour>("$2/h", "2 USD/h");
    check::<PricePerHour>("2 USD/GPU-hour", "2 USD/h");
    check::<PricePerHour>("$2.5 per GPU hour", "2.5 USD/h");
    check::<PricePerEnergy>("0.054 USD/kWh", "0.054 USD/kWh");
    check::<PricePerEnergy>("54 USD/MWh", "0.054 USD/kWh");
    check::<PricePerEnergy>("$0.0826/kWh", "0.0826 USD/kWh");
    assert_eq!(
        check::<Tokens>("14.8 T tokens", "14.8 T tokens").get(),
        14_800_000_000_000
    );
    assert_eq!(
        check::<Tokens>("62_914_560 tokens", "62.91456 M tokens").get(),
        62_914_560
    );
    check::<Tokens>("300B tokens", "300 B tokens");
    check::<Tokens>("15.6 trillion tokens", "15.6 T tokens");
    assert_eq!(check::<Time>("2.1 us", "2.1 us").picos(), 2_100_000);
    check::<Time>("2.1 µs", "2.1 us");
    check::<Time>("4.5 ms", "4.5 ms");
    check::<Time>("19.926 s", "19.926 s");
    check::<Time>("54.67 days", "54.67 days");
    check::<Time>("36 h", "36 h");
    check::<Time>("90 min", "5400 s");
    assert_eq!(check::<Energy>("35 MWh", "35 MWh").get(), 1.26e11);
    check::<Energy>("12 kJ", "12000 J");
    check::<Money>("280 k USD", "280 k USD");
    assert_eq!(check::<Money>("$5.576 M", "5.576 M USD").get(), 5_576_000.0);
    check::<Money>("5.576M USD", "5.576 M USD");
    check::<Money>("USD 35000", "35 k USD");
    check::<Ratio>("0.09", "0.09");
    assert_eq!(check::<Ratio>("9 %", "0.09").get(), 0.09);
    check::<Ratio>("1.25", "1.25");
}

#[test]
fn precision_and_width_are_for_tables() {
    let rate: Bandwidth = "123.456 GB/s".parse().unwrap();
    assert_eq!(format!("{rate:.1}"), "123.5 GB/s");
    assert_eq!(format!("{rate:>14.1}|"), "    123.5 GB/s|");
    assert_eq!(format!("{rate:<14.0}|"), "123 GB/s      |");
    assert_eq!(
        format!("{:.1}", Time::from_seconds(4_899_999.0)),
        "56.7 days"
    );
    assert_eq!(format!("{:.2}", Bytes::new(85_899_345_920)), "85.90 GB");
    assert_eq!(format!("{:.2}", PricePerHour::new(2.0)), "2.00 USD/h");
    assert_eq!(format!("{:.1}", Energy::new(1.26e11)), "35.0 MWh");
}

#[test]
fn a_bare_number_is_refused_with_the_accepted_form() {
    refused::<Bandwidth>("400", &["\"400\" has no unit", "\"400 GB/s\""]);
    refused::<Bytes>("80", &["no unit", "\"80 GB\""]);
    refused::<Time>("3", &["no unit", "\"54 days\""]);
    refused::<Tokens>("14800000000000", &["no unit", "\"14.8 T tokens\""]);
    refused::<Tokens>("14.8 T", &["write \"14.8 T tokens\""]);
    refused::<Power>("700", &["no unit", "\"700 W\""]);
    refused::<PricePerHour>("2", &["no unit", "USD/h"]);
    refused::<FlopRate>("", &["empty", "TFLOPS"]);
    refused::<FlopRate>("fast", &["does not start with a number"]);
}

#[test]
fn an_amount_is_no_rate_and_a_rate_no_amount() {
    refused::<Bandwidth>(
        "400 Gb",
        &[
            "\"400 Gb\" is an amount in bits",
            "\"400 Gb/s\" (= 50 GB/s)",
            "or \"400 GB/s\"",
        ],
    );
    refused::<Bandwidth>("400 GB", &["an amount in bytes", "\"400 GB/s\""]);
    refused::<Bytes>("80 GB/s", &["is a rate", "write \"80 GB\""]);
    refused::<Bytes>("640 Gb", &["in bits", "\"640 GB\"", "\"80 GB\" (= 640 Gb)"]);
    refused::<FlopRate>("989 TFLOPs", &["an amount of work", "\"989 TFLOPS\""]);
    refused::<FlopRate>("989 TFLOP", &["an amount of work", "\"989 TFLOPS\""]);
    refused::<Flops>("989 TFLOPS", &["is a rate", "\"989 TFLOP\""]);
    refused::<Power>("35 MWh", &["an amount of energy", "\"35 MW\""]);
    refused::<Energy>("35 MW", &["is a power", "\"35 MWh\""]);
    refused::<PricePerHour>("2 USD", &["an amount of money", "\"2 USD/h\""]);
    refused::<Money>("2 USD/h", &["a price per something", "\"2 USD\""]);
    refused::<PricePerEnergy>("0.05 USD", &["an amount of money", "USD/kWh"]);
}

#[test]
fn case_traps_name_every_reading() {
    refused::<Bandwidth>(
        "400 gb/s",
        &["case", "\"400 Gb/s\" (= 50 GB/s)", "\"400 GB/s\""],
    );
    refused::<Bandwidth>("400 gbps", &["case", "\"400 Gb/s\"", "\"400 GB/s\""]);
    refused::<Bandwidth>("400 mB/s", &["case", "\"400 MB/s\""]);
    refused::<Bytes>("80 gb", &["case", "\"80 GB\""]);
    refused::<Power>("700 w", &["\"700 W\""]);
    refused::<Power>("35 mw", &["\"35 MW\""]);
    refused::<FlopRate>("989 tflops", &["\"989 TFLOPS\""]);
    refused::<Tokens>("14.8 t tokens", &["\"14.8 T tokens\""]);
    refused::<Money>("5 m USD", &["\"5 M USD\""]);
    refused::<Money>("5 usd", &["\"5 USD\""]);
    refused::<Time>("5 m", &["\"5 min\"", "\"5 ms\""]);
    refused::<Time>("5 S", &["\"5 s\""]);
}

#[test]
fn numbers_out_of_range_or_out_of_shape_are_refused() {
    refused::<Bandwidth>("-400 GB/s", &["negative"]);
    refused::<Ratio>("-0.1", &["negative"]);
    refused::<Time>("−1 s", &["negative"]);
    refused::<Bandwidth>("NaN GB/s", &["not a finite number"]);
    refused::<Bandwidth>("inf GB/s", &["not a finite number"]);
    refused::<Ratio>("infinity", &["not a finite number"]);
    refused::<Bandwidth>("1e400 GB/s", &["more than 1 EB/s"]);
    refused::<Bandwidth>("1e99999999999999999999 GB/s", &["more than"]);
    refused::<Bytes>("1e12 TB", &["more than"]);
    refused::<Bytes>("19 EB", &["more than 18 EB"]);
    refused::<Time>("300 days", &["more than 213 days"]);
    refused::<Money>("1e16 USD", &["more than"]);
    refused::<Bytes>("1.5 B", &["not a whole number of bytes"]);
    refused::<Tokens>("0.5 tokens", &["not a whole number of tokens"]);
    refused::<Time>("0.3 ps", &["not a whole number of picoseconds"]);
    refused::<Time>("1e-40 s", &["not a whole number of picoseconds"]);
    refused::<Tokens>("15,360 tokens", &["comma", "15360", "15_360"]);
    refused::<Tokens>("15,728,640 tokens", &["comma", "15728640", "15_728_640"]);
    refused::<Tokens>("15 360 tokens", &["space", "15360"]);
    refused::<Tokens>("15'360 tokens", &["apostrophe", "15_360"]);
    refused::<Bandwidth>("1.2.3 GB/s", &["not a unit"]);
    refused::<Bandwidth>("400 parsecs", &["\"parsecs\" is not a unit of a bandwidth"]);
    refused::<Money>("CNY 2.0 M", &["yuan", "convert"]);
    refused::<Money>("2.0 M CNY", &["yuan"]);
    refused::<PricePerHour>("€2/h", &["euros"]);
    refused::<PricePerHour>("2 USD/node-hour", &["not a unit"]);
    refused::<Ratio>("0.5 GB", &["not a unit of a pure number"]);
    let long = "x".repeat(1_000_000);
    assert!(refusal::<Bandwidth>(&long).len() < 400);
    assert!(refusal::<Bandwidth>(&format!("4 {long}")).len() < 400);
}

#[test]
fn odd_text_never_panics() {
    let pieces = [
        "1",
        "-",
        "1e",
        "1e+",
        ".",
        "1.",
        "_1",
        "1_",
        "1__0",
        "$",
        "$/h",
        "USD",
        "1 /s",
        "1 ps",
        "1 (",
        "1 )",
        "1 é",
        "1 GB/s é",
        "∞",
        "1 both ways",
        "1 %%",
        "1 $ $",
        "\u{feff}1 GB",
    ];
    for text in pieces {
        let _ = (
            text.parse::<Bandwidth>(),
            text.parse::<Bytes>(),
            text.parse::<Time>(),
        );
        let _ = (
            text.parse::<Money>(),
            text.parse::<PricePerHour>(),
            text.parse::<PricePerEnergy>(),
        );
        let _ = (
            text.parse::<FlopRate>(),
            text.parse::<Tokens>(),
            text.parse::<Ratio>(),
        );
        let _ = (
            text.parse::<Power>(),
            text.parse::<Energy>(),
            text.parse::<Flops>(),
        );
    }
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * a.abs()
}

proptest! {
    #[test]
    fn floats_read_back_what_they_print(mantissa in 1.0f64..10.0, exponent in -3i32..14) {
        let value = mantissa * f64::from(exponent).exp2().powi(3);
        macro_rules! round_trips {
            ($($q:ty),+) => {$(
                let printed = <$q>::new(value).to_string();
                let read: $q = printed.parse().unwrap();
                prop_assert!(same(value, read.get()), "{} -> {}", printed, read.get());
            )+};
        }
        round_trips!(Bandwidth, Flops, FlopRate, Power, Energy, Money, Ratio);
        let price = (value * 1e-9).min(1e5);
        let read: PricePerHour = PricePerHour::new(price).to_string().parse().unwrap();
        prop_assert!(same(price, read.get()));
        let read: PricePerEnergy = PricePerEnergy::new(price * 1e-6).to_string().parse().unwrap();
        prop_assert!(same(price * 1e-6, read.get()));
    }

    #[test]
    fn whole_quantities_read_back_exactly(value: u64, shift in 0u32..64) {
        let value = value >> shift;
        prop_assert_eq!(Bytes::new(value).to_string().parse::<Bytes>().unwrap().get(), value);
        prop_assert_eq!(Time::from_picos(value).to_string().parse::<Time>().unwrap().picos(), value);
        let tokens = value / 100;
        prop_assert_eq!(Tokens::new(tokens).to_string().parse::<Tokens>().unwrap().get(), tokens);
    }

    #[test]
    fn no_text_panics(text in "[-+0-9eE_.,$%() /a-zA-Zµé]{0,24}") {
        let _ = (text.parse::<Bandwidth>(), text.parse::<Bytes>(), text.parse::<Time>());
        let _ = (text.parse::<Money>(), text.parse::<PricePerHour>(), text.parse::<PricePerEnergy>());
        let _ = (text.parse::<FlopRate>(), text.parse::<Tokens>(), text.parse::<Ratio>());
        let _ = (text.parse::<Power>(), text.parse::<Energy>(), text.parse::<Flops>());
    }
}

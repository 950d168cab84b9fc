//! The words of published tables: numbers, precisions, what is recomputed and sharded.
//!
//! In: texts of fields. Out: scenario words, or `None` where the text says nothing that is
//! understood. Never guesses.

/// A text that should be a whole number above 0 and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The text says that nothing is known.
pub fn missing(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let silent = ["", "n/a", "na", "-", "?", "tbd", "none stated", "mixed"];
    let begins = ["not ", "unknown", "unstated", "undisclosed"];
    silent.contains(&text.as_str())
        || begins.iter().any(|word| text.starts_with(word)) && !text.contains("full")
}

/// The year that a text holds: "2024-05", "~2025".
pub fn year(text: &str) -> Option<u32> {
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    let mut years = numbers
        .filter(|n| n.len() == 4)
        .filter_map(|n| n.parse().ok());
    years.find(|year| (2000..2100).contains(year))
}

/// The text holds this word, not as a part of another.
pub fn has_word(text: &str, word: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    words.any(|found| found == word)
}

/// The number that a text begins with: "16 (as configured)" is 16, "~1,000" is 1000, "8K" as many
/// thousands as `thousand` says.
pub fn leading_in(text: &str, thousand: u32) -> Option<u32> {
    let text = text.trim().trim_start_matches(['~', '≈']).trim_start();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == ',' || c == '.'))
        .unwrap_or(text.len());
    let digits = text[..end].trim_end_matches(['.', ',']).replace(',', "");
    let mut rest = text[end..].chars();
    let times = match (rest.next(), rest.next()) {
        (Some('k' | 'K'), after) if !after.is_some_and(char::is_alphabetic) => thousand,
        _ => 1,
    };
    let value = if times == 1 {
        // "2.5" of a count is what it begins with.
        f64::from(digits.split('.').next()?.parse::<u32>().ok()?)
    } else {
        digits.parse::<f64>().ok()? * f64::from(times)
    };
    (value <= 1e9).then_some(value.round() as u32)
}

/// The same, with thousands of 1,000.
pub fn leading(text: &str) -> Option<u32> {
    leading_in(text, 1000)
}

/// A positive finite figure: "1,234.5", "~52 %".
pub fn figure(text: &str) -> Option<f64> {
    let text = text.trim().trim_start_matches(['~', '≈']);
    let text = text.trim_end_matches('%').trim().replace(',', "");
    let plain = text.split(" (").next().unwrap_or(&text);
    let value: f64 = plain.parse().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// A count that must be a whole number where it is given at all; 0 and words for nothing are `None`.
pub fn count(text: &str, thousand: u32) -> Result<Option<u32>, Unreadable> {
    let text = text.trim();
    let lower = text.to_lowercase();
    if missing(text) || ["none", "no", "0", "dense", "mha"].contains(&lower.as_str()) {
        return Ok(None);
    }
    if lower.starts_with("mqa") {
        return Ok(Some(1));
    }
    let bare = lower
        .trim_start_matches("gqa")
        .trim_start_matches(['-', ' ']);
    match text.parse::<f64>() {
        Ok(value) if (1.0..=1e9).contains(&value) && value.fract() == 0.0 => Ok(Some(value as u32)),
        // "-3" is no 3.
        _ if lower.starts_with('-') => Err(Unreadable),
        _ => leading_in(bare, thousand)
            .filter(|n| *n > 0)
            .map(Some)
            .ok_or(Unreadable),
    }
}

/// Accelerators of a job: "16 nodes x 8", "8x8" and plain counts.
pub fn accelerators(text: &str) -> Result<Option<u32>, Unreadable> {
    let plain = text.to_lowercase().replace(['×', '*'], "x");
    if let Some((servers, each)) = plain.split_once('x')
        && let (Some(servers), Some(each)) = (leading(servers), leading(each))
        && each > 0
    {
        return match servers.checked_mul(each).filter(|n| *n > 0) {
            Some(all) => Ok(Some(all)),
            None => Err(Unreadable),
        };
    }
    count(text, 1000)
}

/// Width that a clause gives to a word: 2048 in "18432 dense / 2048 expert" for "expert", and in
/// "dense 18432, expert 2048". What is shared is no expert's.
pub fn before(text: &str, word: &str) -> Option<u32> {
    let lower = text.to_lowercase().replace(", ", "/");
    let clause = lower
        .split(['/', ';', '+'])
        .find(|clause| clause.contains(word) && (word == "shared" || !clause.contains("shared")))?;
    let from = clause.find(|c: char| c.is_ascii_digit())?;
    leading(&clause[from..])
}

/// Shared experts of a token, where a text counts them: "1 shared expert", "64 + 1 shared".
pub fn shared_experts(text: &str) -> Option<u32> {
    let lower = text.to_lowercase();
    let at = lower.find("shared")?;
    let digits: String = lower[..at]
        .trim_end()
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    let count: u32 = digits.chars().rev().collect::<String>().parse().ok()?;
    (1..=64).contains(&count).then_some(count)
}

/// Tensor-parallel ranks of an expert, as notes name them: "etp=2", "Expert TP 2", "ETP2".
pub fn expert_tensor(notes: &str) -> Option<u32> {
    let plain: String = notes
        .to_lowercase()
        .replace(['_', '-'], " ")
        .replace("moe tp", "etp")
        .replace("expert tensor parallelism", "etp")
        .replace("expert tensor parallel size", "etp")
        .replace("expert tensor parallel", "etp")
        .replace("expert tensor", "etp")
        .replace("expert tp", "etp");
    let mut rest = plain.as_str();
    while let Some(at) = rest.find("etp") {
        let whole = !rest[..at].ends_with(|c: char| c.is_alphanumeric());
        rest = &rest[at + 3..];
        let value = rest.trim_start_matches([' ', '=', ':']);
        if whole && let Some(found) = leading(value) {
            return Some(found);
        }
    }
    None
}

/// Precision recipe of a table's word, and what it leaves open. Of several the first that is named;
/// "no FP8" names none.
pub fn precision(text: &str) -> Option<(&'static str, Option<&'static str>)> {
    let text = text.to_lowercase();
    let has = |word: &str| text.contains(word);
    let first = |words: &[&str]| -> usize {
        let named = words.iter().flat_map(|word| text.match_indices(word));
        let denied = |at: usize| {
            let head = text[..at].trim_end();
            ["no", "not", "without", "w/o"]
                .iter()
                .any(|n| head.ends_with(n))
        };
        named
            .map(|(at, _)| at)
            .filter(|&at| !denied(at))
            .min()
            .unwrap_or(usize::MAX)
    };
    let four = first(&["nvfp4", "mxfp4", "fp4"]);
    let eight = first(&["mxfp8", "fp8", "e4m3", "float8"]);
    let brain = first(&["bf16", "bfloat"]);
    let half = first(&["fp16", "half"]).min(
        // "bfloat16" holds "float16".
        if has("bfloat") {
            usize::MAX
        } else {
            first(&["float16"])
        },
    );
    let found = four.min(eight).min(brain).min(half);
    if found == usize::MAX {
        return has("amp").then_some(("fp16", None));
    }
    if found == four {
        return Some(("nvfp4", None));
    }
    if found == eight {
        if has("mxfp8") || has("fp8-mx") || has("fp8_mx") || has("fp8 mx") {
            return Some(("mxfp8", None));
        }
        let fine = ["block", "blk", "subchannel", "fp8-sc", "1x128", "128x128"];
        if fine.iter().any(|word| has(word)) {
            return Some(("fp8-block", None));
        }
        let plain = !(has("cs") || has("tensor") || has("hybrid") || has("ds") || has("delayed"));
        return Some((
            "fp8-tensor",
            plain.then_some("FP8 with one scale per tensor: the recipe of its container"),
        ));
    }
    if found == brain {
        return Some((
            "bf16",
            (has("not stated") || has("/fp16") || has("/bf16")).then_some("BF16"),
        ));
    }
    Some(("fp16", has("not stated").then_some("FP16")))
}

/// What a row says about recomputation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Nothing that is understood.
    Nothing,
    /// None.
    None,
    /// Whole layers, all of them.
    Full,
    /// Whole layers, this many of a stage.
    Layers(u32),
    /// Whole layers, one of this many.
    Every(u32),
    /// The attention core.
    Core,
    /// Named parts.
    Parts(Vec<&'static str>),
}

/// Reads the column `recompute`.
pub fn recompute(text: &str) -> Stated {
    let text = text.trim().to_lowercase();
    let has = |word: &str| text.contains(word);
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    let word = |word: &str| words.contains(&word);
    if missing(&text) {
        return Stated::Nothing;
    }
    let first = words.first().copied().unwrap_or("");
    if ["none", "no", "false", "off", "without", "disabled", "0"].contains(&first)
        || ((word("off") || word("disabled") || word("without")) && !has("selective"))
    {
        return Stated::None;
    }
    if let Some(each) = every(&words) {
        return Stated::Every(each);
    }
    let known = [
        ("core_attn", "core-attention"),
        ("core attn", "core-attention"),
        ("core attention", "core-attention"),
        ("attention core", "core-attention"),
        ("norm", "norm"),
        ("mla_up", "mla-up"),
        ("moe_act", "activation"),
        ("mlp_act", "activation"),
        ("swiglu", "activation"),
    ];
    let mut parts: Vec<&'static str> = known
        .iter()
        .filter(|(word, _)| text.contains(word))
        .map(|(_, part)| *part)
        .collect();
    for (name, part) in [
        ("act", "activation"),
        ("mlp", "mlp"),
        ("moe", "moe"),
        ("attention", "core-attention"),
    ] {
        // "moe" by itself, not inside "moe_act"; "attention" as the only word.
        if word(name) && (name != "attention" || words.len() == 1) {
            parts.push(part);
        }
    }
    let mut seen = Vec::new();
    parts.retain(|part| {
        let new = !seen.contains(part);
        seen.push(*part);
        new
    });
    let selective = has("selective");
    if parts == ["core-attention"] {
        return Stated::Core;
    }
    if !parts.is_empty() {
        return Stated::Parts(parts);
    }
    let whole = word("full") || word("uniform") || has("all layers") || first == "on";
    let agreed = first == "yes" || first == "true" || has("checkpointing on");
    let layers = layers_named(&words);
    if !selective && (whole || agreed || word("block") || layers.is_some()) {
        // "uniform" recomputes all layers, by groups of the number beside it.
        return match layers {
            Some(layers) if !word("uniform") => Stated::Layers(layers),
            _ => Stated::Full,
        };
    }
    if selective {
        return Stated::Core;
    }
    Stated::Nothing
}

/// "every other layer", "every 2nd layer", "1 in 3 layers".
fn every(words: &[&str]) -> Option<u32> {
    let at = words.iter().position(|w| *w == "every")?;
    let each = match *words.get(at + 1)? {
        "other" | "second" => 2,
        "third" => 3,
        number => leading(number)?,
    };
    let layered = words[at..]
        .iter()
        .any(|w| w.starts_with("layer") || w.starts_with("block"));
    (each > 0 && layered).then_some(each)
}

/// The number of layers that is named: 10 in "10 of 24 layers", in "layers: 10" and "num_layers=10".
fn layers_named(words: &[&str]) -> Option<u32> {
    let at = words.iter().position(|w| w.contains("layer"))?;
    let number = |index: usize| -> Option<u32> {
        let word = words.get(index)?;
        word.parse().ok().filter(|n| *n > 0 && *n < 10_000)
    };
    if let Some(last) = at.checked_sub(1).and_then(number) {
        let of = at >= 3 && words[at - 2] == "of";
        return Some(if of {
            number(at - 3).unwrap_or(last)
        } else {
            last
        });
    }
    number(at + 1)
}

/// ZeRO stage of a table's word, and whether it is FSDP.
pub fn zero(text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let has = |word: &str| text.contains(word);
    if missing(&text) {
        return None;
    }
    let plain = text.replace([' ', '_', '-', '='], "");
    if has("grad_op") || plain.contains("zero2") || plain.contains("zerostage2") {
        return Some(2);
    }
    let sharded = [
        "zero3",
        "zerostage3",
        "fsdp",
        "fullshard",
        "hsdp",
        "hybridshard",
        "fullysharded",
    ];
    if sharded.iter().any(|word| plain.contains(word)) {
        return Some(3);
    }
    let first = [
        "zero1",
        "zerostage1",
        "distributedoptimi",
        "dist.opt",
        "distopt",
    ];
    if first.iter().any(|word| plain.contains(word)) {
        return Some(1);
    }
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let none = [
        "none", "no", "ddp", "no_shard", "zero0", "false", "off", "0",
    ];
    words
        .into_iter()
        .any(|word| none.contains(&word))
        .then_some(0)
}

/// Layers of each stage by Megatron's layout words: `Et*4|(t*4|)*14tmL` is an embedding and four
/// layers, fourteen stages of four, and a layer with the prediction module and the loss.
pub fn stage_layers(layout: &str) -> Option<Vec<u32>> {
    let mut flat = String::new();
    expand(&mut layout.chars().peekable(), &mut flat, 0)?;
    let stages: Vec<u32> = flat
        .split('|')
        .map(|stage| stage.matches('t').count() as u32)
        .collect();
    (stages.len() <= 4096).then_some(stages)
}

fn expand(
    text: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
    depth: u32,
) -> Option<()> {
    while let Some(c) = text.next() {
        let mut unit = String::new();
        match c {
            ')' => return (depth > 0).then_some(()),
            '(' if depth < 4 => expand(text, &mut unit, depth + 1)?,
            'E' | 't' | 'm' | 'L' | '|' | 'M' => unit.push(c),
            ' ' | ',' => continue,
            _ => return None,
        }
        let mut times = 1usize;
        if text.peek() == Some(&'*') {
            text.next();
            let mut digits = String::new();
            while let Some(digit) = text.peek().filter(|c| c.is_ascii_digit()) {
                digits.push(*digit);
                text.next();
            }
            times = digits.parse().ok().filter(|n| *n <= 1024)?;
        }
        if unit.len() * times + out.len() > 65_536 {
            return None;
        }
        for _ in 0..times {
            out.push_str(&unit);
        }
    }
    (depth == 0).then_some(())
}

/// Network rate as printed, in Gb/s, and of how many accelerators (`None`: of a server):
/// "4x100Gb/s", "1600Gb/s node-node", "400Gb/s per GPU", "8 × 50 GB/s", "4x400Gb/s per tray". What
/// joins accelerators inside a server is no network.
pub fn network_rate(text: &str) -> Option<(f64, Option<u32>)> {
    let plain = text.replace(['×', '*'], "x");
    let rates = plain.split([';', '+']).flat_map(|part| part.split(", "));
    rates.filter_map(clause_rate).last()
}

fn clause_rate(clause: &str) -> Option<(f64, Option<u32>)> {
    let lower = clause.to_lowercase();
    // What follows the name of a server's own links.
    let inside = ["nvlink", "nvswitch", "xgmi", "infinity fabric"];
    let own = inside.iter().filter_map(|word| lower.rfind(word)).max();
    let from = own.unwrap_or(0);
    let (at, bits) = [
        ("Gb/s", 1.0),
        ("Gbps", 1.0),
        ("Gbit/s", 1.0),
        ("gb/s", 1.0),
        ("gbps", 1.0),
        ("Tb/s", 1e3),
        ("Tbps", 1e3),
        ("GB/s", 8.0),
    ]
    .into_iter()
    .filter_map(|(unit, bits)| clause[from..].find(unit).map(|at| (from + at, bits)))
    .min_by_key(|(at, _)| *at)?;
    if own.is_some() && bits == 8.0 {
        return None;
    }
    let number = |text: &str| -> String {
        let tail: String = text
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_digit() || *c == '.' || *c == ',')
            .collect();
        tail.chars().rev().collect()
    };
    let head = clause[..at].trim_end();
    let digits = number(head);
    let value: f64 = digits.replace(',', "").parse().ok()?;
    let rest = head[..head.len() - digits.len()].trim_end();
    let times: f64 = match rest.strip_suffix(['x', 'X']).map(str::trim_end) {
        Some(rest) => number(rest).parse().unwrap_or(1.0),
        None => 1.0,
    };
    let one = [
        "per gpu",
        "/gpu",
        "per accelerator",
        "per chip",
        "each gpu",
        "a gpu",
    ];
    let of = if one.iter().any(|word| lower.contains(word)) {
        Some(1)
    } else if ["per tray", "/tray", "4-gpu"]
        .iter()
        .any(|word| lower.contains(word))
    {
        Some(4)
    } else {
        None
    };
    (value > 0.0 && value.is_finite()).then_some((value * times * bits, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recomputation_is_read_as_tables_write_it() {
        for (text, expected) in [
            ("", Stated::Nothing),
            ("not stated in data", Stated::Nothing),
            ("none (recipe default null)", Stated::None),
            ("full (README launch examples)", Stated::Full),
            ("full, 5 layers", Stated::Layers(5)),
            ("full, block, 10 of 24 layers", Stated::Layers(10)),
            ("block, 5 layers", Stated::Layers(5)),
            ("full (uniform, 1 layer)", Stated::Full),
            ("activation checkpointing: full", Stated::Full),
            ("yes (all layers)", Stated::Full),
            ("selective (every other layer)", Stated::Every(2)),
            ("every 3rd layer", Stated::Every(3)),
            ("no recompute", Stated::None),
            ("activation ckpt off", Stated::None),
            ("none at 8K", Stated::None),
            ("none stated", Stated::Nothing),
            ("unknown", Stated::Nothing),
            ("selective (custom backward)", Stated::Core),
            ("core attn", Stated::Core),
            ("norm, act", Stated::Parts(vec!["norm", "activation"])),
            ("mlp_act, norm", Stated::Parts(vec!["norm", "activation"])),
            ("selective (attention core)", Stated::Core),
            ("sequence-parallel+selective", Stated::Core),
            ("selective: mla_up_proj", Stated::Parts(vec!["mla-up"])),
            (
                "selective: layernorm, moe_act",
                Stated::Parts(vec!["norm", "activation"]),
            ),
            (
                "selective: moe, layernorm, core_attn, moe_act",
                Stated::Parts(vec!["core-attention", "norm", "activation", "moe"]),
            ),
        ] {
            assert_eq!(recompute(text), expected, "{text}");
        }
    }

    #[test]
    fn layouts_of_stages_are_unrolled() {
        let stages = stage_layers("Et*4|(t*4|)*14tmL").expect("a layout");
        assert_eq!(stages.len(), 16);
        assert_eq!(stages.iter().sum::<u32>(), 61);
        assert_eq!(stages[15], 1);
        for nonsense in ["t*", "(t", "t)", "x", "t*99999999", "((((((t))))))"] {
            assert_eq!(stage_layers(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn rates_of_networks_are_read() {
        for (text, expected) in [
            (
                "NVLink3 in node + 4x100Gb/s Omni-Path per node",
                (400.0, None),
            ),
            ("1600Gb/s RoCE node-node, NVLink3", (1600.0, None)),
            ("NVLink + 400Gb/s per GPU", (400.0, Some(1))),
            (
                "NVLink4 + 400Gb/s RoCE per GPU, 1:7 oversubscribed",
                (400.0, Some(1)),
            ),
            ("400 Gb/s InfiniBand (per GPU)", (400.0, Some(1))),
            ("NVLink4 + 8x400Gb/s NDR IB per node", (3200.0, None)),
            ("NVLink 400 GB/s + 4x200Gb/s", (800.0, None)),
            ("NVLink4 900GB/s, 8 × 400 Gb/s", (3200.0, None)),
            ("8x 50 GB/s IB", (3200.0, None)),
            ("NVLink5 + 4x400Gb/s per tray", (1600.0, Some(4))),
            ("RoCE (4 x 100 Gb/s per node)", (400.0, None)),
        ] {
            assert_eq!(network_rate(text), Some(expected), "{text}");
        }
        assert_eq!(network_rate("NVL72 NVLink5"), None);
        assert_eq!(network_rate("NVLink4 900 GB/s"), None);
    }

    #[test]
    fn precisions_are_read_by_their_first_word() {
        let recipe = |text: &str| precision(text).map(|found| found.0);
        for (text, expected) in [
            ("BF16 (no FP8)", Some("bf16")),
            ("no FP8, BF16", Some("bf16")),
            ("FP8 (BF16 head)", Some("fp8-tensor")),
            ("FP8 1x128", Some("fp8-block")),
            ("MXFP8", Some("mxfp8")),
            ("NVFP4 (FP8 attention)", Some("nvfp4")),
            ("amp_bf16", Some("bf16")),
            ("amp_fp8", Some("fp8-tensor")),
            ("bfloat16", Some("bf16")),
            ("FP16 mixed", Some("fp16")),
            ("float8", Some("fp8-tensor")),
            ("int8", None),
        ] {
            assert_eq!(recipe(text), expected, "{text}");
        }
    }

    #[test]
    fn sharding_is_read_by_whole_words() {
        for (text, expected) in [
            ("distributed optimizer (ZeRO-1)", Some(1)),
            ("distributed optimiser", Some(1)),
            ("zero_stage=1", Some(1)),
            ("FSDP SHARD_GRAD_OP (ZeRO-2)", Some(2)),
            ("HSDP", Some(3)),
            ("fully sharded", Some(3)),
            ("none", Some(0)),
            ("DDP", Some(0)),
            ("unknown", None),
            ("not printed", None),
            ("", None),
        ] {
            assert_eq!(zero(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_or_refused() {
        assert_eq!(count("16 (as configured)", 1000), Ok(Some(16)));
        for silent in ["n/a", "not stated", "?", "0", "dense", "MHA", ""] {
            assert_eq!(count(silent, 1000), Ok(None), "{silent}");
        }
        assert_eq!(count("8K", 1024), Ok(Some(8192)));
        assert_eq!(count("128K (padded)", 1000), Ok(Some(128_000)));
        assert_eq!(count("~1,000", 1000), Ok(Some(1000)));
        assert_eq!(count("GQA 8", 1000), Ok(Some(8)));
        assert!(count("-3", 1000).is_err() && count("2.5", 1000).is_ok_and(|n| n == Some(2)));
        assert!(count("4294967295 x", 1000).is_err() && count("many", 1000).is_err());
        assert_eq!(accelerators("8 nodes x 8"), Ok(Some(64)));
        assert_eq!(accelerators("16×8"), Ok(Some(128)));
        assert_eq!(accelerators("64"), Ok(Some(64)));
        assert!(accelerators("999999999x999999999").is_err());
        assert_eq!(before("dense 10944, expert 1408", "expert"), Some(1408));
        assert_eq!(
            before("10944 (dense) / 1408 per expert", "expert"),
            Some(1408)
        );
        assert_eq!(
            before("1408 expert / 2816 shared expert", "shared"),
            Some(2816)
        );
        assert_eq!(shared_experts("64 + 1 shared"), Some(1));
        assert_eq!(shared_experts("router with 2 shared experts"), Some(2));
        assert_eq!(shared_experts("shared storage"), None);
        for text in [
            "etp=2",
            "Expert TP 2",
            "ETP2",
            "grade=A; expert-TP=2",
            "MoE TP=2",
        ] {
            assert_eq!(expert_tensor(text), Some(2), "{text}");
        }
        assert_eq!(expert_tensor("step tp=2"), None);
        assert_eq!(before("18432 dense / 2048 expert", "expert"), Some(2048));
        assert_eq!(before("18432 dense / 2048 expert", "dense"), Some(18432));
        assert_eq!(figure("1e3"), Some(1000.0));
        assert_eq!(figure("-1"), None);
        assert_eq!(figure("nan"), None);
    }
}

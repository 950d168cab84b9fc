//! The words of published tables: numbers, precisions, what is recomputed and sharded.
//!
//! In: texts of fields. Out: scenario words, or `None` where the text says nothing that is
//! understood. Never guesses.

/// The number that a text begins with: "16 (as configured)" is 16.
pub fn leading(text: &str) -> Option<u32> {
    let digits: String = text
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(|c| *c != ',')
        .collect();
    digits.parse().ok()
}

/// A positive finite figure.
pub fn figure(text: &str) -> Option<f64> {
    let value: f64 = text.trim().replace(',', "").parse().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// A count that must be a whole number where it is given at all.
pub fn count(text: &str) -> Result<Option<u32>, ()> {
    let text = text.trim();
    if text.is_empty() || ["n/a", "-", "none"].contains(&text.to_lowercase().as_str()) {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(value) if value >= 1.0 && value <= 1e9 && value.fract() == 0.0 => Ok(Some(value as u32)),
        _ => leading(text).filter(|n| *n > 0).map(Some).ok_or(()),
    }
}

/// Width before a word: "2048" in "18432 dense / 2048 expert" for "expert".
pub fn before(text: &str, word: &str) -> Option<u32> {
    let at = text.find(word)?;
    let digits: String = text[..at]
        .trim_end()
        .chars()
        .rev()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

/// Precision recipe of a table's word, and what it leaves open.
pub fn precision(text: &str) -> Option<(&'static str, Option<&'static str>)> {
    let text = text.to_lowercase();
    let has = |word: &str| text.contains(word);
    if has("nvfp4") || has("fp4") {
        return Some(("nvfp4", None));
    }
    if has("mxfp8") || has("fp8-mx") || has("fp8_mx") {
        return Some(("mxfp8", None));
    }
    if has("block") || has("subchannel") || has("fp8-sc") {
        return Some(("fp8-block", None));
    }
    if has("fp8") || has("e4m3") {
        let plain = !(has("cs") || has("tensor") || has("hybrid") || has("ds") || has("delayed"));
        return Some((
            "fp8-tensor",
            plain.then_some("FP8 with one scale per tensor: the recipe of its container"),
        ));
    }
    if has("bf16") || has("bfloat") {
        return Some((
            "bf16",
            (has("not stated") || has("/fp16") || has("/bf16")).then_some("BF16"),
        ));
    }
    if has("fp16") || has("amp") || has("half") {
        return Some(("fp16", has("not stated").then_some("FP16")));
    }
    None
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
    /// The attention core.
    Core,
    /// Named parts.
    Parts(Vec<&'static str>),
}

/// Reads the column `recompute`. `base_default`: what "none set in perf recipe" means.
pub fn recompute(text: &str) -> Stated {
    let text = text.trim().to_lowercase();
    if text.is_empty() || text.starts_with("not stated") || text == "n/a" || text == "unknown" {
        return Stated::Nothing;
    }
    if text.starts_with("none") || text == "no" || text == "false" || text == "off" {
        return Stated::None;
    }
    if text.starts_with("full") || text == "yes" || text == "true" {
        let number: String = text.chars().filter(char::is_ascii_digit).collect();
        if text.contains("layer")
            && let Ok(layers) = number.parse()
        {
            return Stated::Layers(layers);
        }
        return Stated::Full;
    }
    let known = [
        ("core_attn", "core-attention"),
        ("core attention", "core-attention"),
        ("attention core", "core-attention"),
        ("layernorm", "norm"),
        ("mla_up", "mla-up"),
        ("moe_act", "activation"),
        ("mlp", "mlp"),
    ];
    let mut parts: Vec<&'static str> = known
        .iter()
        .filter(|(word, _)| text.contains(word))
        .map(|(_, part)| *part)
        .collect();
    // "moe" by itself, not inside "moe_act".
    if text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .any(|word| word == "moe")
    {
        parts.push("moe");
    }
    parts.dedup();
    if !parts.is_empty() {
        return if parts == ["core-attention"] {
            Stated::Core
        } else {
            Stated::Parts(parts)
        };
    }
    if text.contains("selective") {
        return Stated::Core;
    }
    Stated::Nothing
}

/// ZeRO stage of a table's word, and whether it is FSDP.
pub fn zero(text: &str) -> Option<u32> {
    let text = text.to_lowercase();
    let has = |word: &str| text.contains(word);
    if text.is_empty() || has("not stated") {
        return None;
    }
    if has("grad_op") || has("zero-2") || has("zero2") {
        return Some(2);
    }
    if has("zero-3") || has("zero3") || has("fsdp") || has("full_shard") {
        return Some(3);
    }
    if has("zero-1") || has("zero1") || has("distributed optimizer") {
        return Some(1);
    }
    if has("none") || has("no") || has("ddp") {
        return Some(0);
    }
    None
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

/// Network rate of a server in Gb/s: "4x100Gb/s", "1600Gb/s node-node"; with "per GPU" of one
/// accelerator (`true`).
pub fn network_rate(text: &str) -> Option<(f64, bool)> {
    let lower = text.to_lowercase();
    let at = lower.find("gb/s").or_else(|| lower.find("gbps"))?;
    let head = lower[..at].trim_end();
    let digits = |text: &str| -> String {
        let tail: String = text
            .chars()
            .rev()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        tail.chars().rev().collect()
    };
    let rate = digits(head);
    let value: f64 = rate.parse().ok()?;
    let rest = head[..head.len() - rate.len()].trim_end();
    let times: f64 = match rest.strip_suffix('x').map(str::trim_end) {
        Some(rest) => digits(rest).parse().unwrap_or(1.0),
        None => 1.0,
    };
    let after = &lower[at..];
    let each = after
        .trim_start_matches(|c: char| !c.is_whitespace())
        .trim_start();
    let per_gpu = each.starts_with("per gpu") || lower.contains("gb/s roce per gpu");
    (value > 0.0).then_some((value * times, per_gpu))
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
                (400.0, false),
            ),
            ("1600Gb/s RoCE node-node, NVLink3", (1600.0, false)),
            ("NVLink + 400Gb/s per GPU", (400.0, true)),
            ("NVLink4 + 8x400Gb/s NDR IB per node", (3200.0, false)),
        ] {
            assert_eq!(network_rate(text), Some(expected), "{text}");
        }
        assert_eq!(network_rate("NVL72 NVLink5"), None);
    }

    #[test]
    fn numbers_are_read_or_refused() {
        assert_eq!(count("16 (as configured)"), Ok(Some(16)));
        assert_eq!(count("n/a"), Ok(None));
        assert!(count("-3").is_err() && count("2.5").is_ok_and(|n| n == Some(2)));
        assert_eq!(before("18432 dense / 2048 expert", "expert"), Some(2048));
        assert_eq!(before("18432 dense / 2048 expert", "dense"), Some(18432));
        assert_eq!(figure("1e3"), Some(1000.0));
        assert_eq!(figure("-1"), None);
        assert_eq!(figure("nan"), None);
    }
}

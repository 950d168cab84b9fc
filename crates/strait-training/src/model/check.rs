//! Whether a model's dimensions make sense.
//!
//! In: a [`Model`] from anywhere. Out: the first thing wrong with it, naming the field.
//! Never repairs anything.

use super::{Attention, Experts, Model};

/// Widest matrix dimension accepted. A thousand times the widest published models', and
/// small enough that no count overflows together with [`MOST_PARAMETERS`].
const WIDEST: u32 = 1 << 24;
/// Most layers accepted.
const MOST_LAYERS: u32 = 100_000;
/// Most parameters accepted: a thousand times the largest published models.
const MOST_PARAMETERS: f64 = 1e15;

/// What is wrong with a model's dimensions.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// A size that must be at least one is zero.
    #[error("`{field}` is 0, but must be at least 1")]
    Zero {
        /// Field of the model.
        field: &'static str,
    },
    /// A size beyond anything trained.
    #[error("`{field}` is {value}, more than the {limit} that Strait accepts")]
    TooLarge {
        /// Field of the model.
        field: &'static str,
        /// What it says.
        value: u64,
        /// What is accepted.
        limit: u64,
    },
    /// Two sizes of which one must be a multiple of the other.
    #[error("`{field}` is {value}, which `{divisor_field}` ({divisor}) does not divide")]
    Indivisible {
        /// The field to be divided.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The field that must divide it.
        divisor_field: &'static str,
        /// Its value.
        divisor: u32,
    },
    /// A size that another one bounds.
    #[error("`{field}` is {value}, more than `{bound_field}` ({bound})")]
    Exceeds {
        /// The field that is too large.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The field that bounds it.
        bound_field: &'static str,
        /// Its value.
        bound: u32,
    },
    /// Every size is acceptable, but not their product.
    #[error("the model has about {parameters:.0e} parameters; Strait accepts up to 1e15")]
    TooManyParameters {
        /// Estimate of its parameters.
        parameters: f64,
    },
}

impl ModelError {
    /// The same error in the names of another format, such as a configuration file's keys.
    #[must_use]
    pub fn renamed(self, name: impl Fn(&'static str) -> &'static str) -> ModelError {
        match self {
            ModelError::Zero { field } => ModelError::Zero { field: name(field) },
            ModelError::TooLarge {
                field,
                value,
                limit,
            } => ModelError::TooLarge {
                field: name(field),
                value,
                limit,
            },
            ModelError::Indivisible {
                field,
                value,
                divisor_field,
                divisor,
            } => ModelError::Indivisible {
                field: name(field),
                value,
                divisor_field: name(divisor_field),
                divisor,
            },
            ModelError::Exceeds {
                field,
                value,
                bound_field,
                bound,
            } => ModelError::Exceeds {
                field: name(field),
                value,
                bound_field: name(bound_field),
                bound,
            },
            ModelError::TooManyParameters { .. } => self,
        }
    }
}

impl Model {
    /// Checks all dimensions against each other and against what can be counted.
    ///
    /// # Errors
    /// The first problem found.
    pub fn check(&self) -> Result<(), ModelError> {
        sized("layers", self.layers, MOST_LAYERS)?;
        sized("hidden", self.hidden, WIDEST)?;
        sized("vocabulary", self.vocabulary, WIDEST)?;
        bounded("ffn", self.ffn, WIDEST)?;
        bounded("learned_positions", self.learned_positions, WIDEST)?;
        bounded("mtp", self.mtp, 64)?;
        check_attention(&self.attention)?;
        if let Some(window) = self.extras.window {
            sized("window", window.tokens, u32::MAX)?;
        }
        if let Some(experts) = &self.experts {
            check_experts(experts, self.layers)?;
        }
        // The dense width may be absent only where no layer uses it.
        if self.moe_layers() < self.layers {
            sized("ffn", self.ffn, WIDEST)?;
        }
        let parameters = self.rough_parameters();
        if parameters > MOST_PARAMETERS {
            return Err(ModelError::TooManyParameters { parameters });
        }
        Ok(())
    }

    /// An upper bound in floating point, which cannot overflow as the exact count could.
    fn rough_parameters(&self) -> f64 {
        let hidden = f64::from(self.hidden);
        let ffn = |width: f64| 3.0 * hidden * width;
        let experts = self.experts.as_ref().map_or(0.0, |e| {
            f64::from(e.routed) * (ffn(f64::from(e.width)) + hidden)
                + ffn(f64::from(e.shared_width))
        });
        let attention = match self.attention {
            Attention::Grouped { .. } => 0.0,
            Attention::Latent {
                q_rank, kv_rank, ..
            } => f64::from(q_rank.unwrap_or(0).max(kv_rank)),
        };
        let qkv = f64::from(self.attention.heads())
            * (2.0 * f64::from(self.attention.query_head_dim())
                + 2.0 * f64::from(self.attention.value_head_dim()));
        let layer = (hidden + attention) * (qkv + attention) + ffn(f64::from(self.ffn)) + experts;
        let rows = 2.0 * f64::from(self.vocabulary) + f64::from(self.learned_positions);
        rows * hidden + f64::from(self.layers + self.mtp) * layer
    }
}

fn check_attention(attention: &Attention) -> Result<(), ModelError> {
    match *attention {
        Attention::Grouped {
            heads,
            kv_heads,
            head_dim,
        } => {
            sized("heads", heads, 1 << 16)?;
            sized("kv_heads", kv_heads, 1 << 16)?;
            sized("head_dim", head_dim, 1 << 16)?;
            exceeds("kv_heads", kv_heads, "heads", heads)?;
            divides("heads", heads, "kv_heads", kv_heads)
        }
        Attention::Latent {
            heads,
            q_rank,
            kv_rank,
            qk_nope_dim,
            qk_rope_dim,
            v_dim,
        } => {
            sized("heads", heads, 1 << 16)?;
            if let Some(rank) = q_rank {
                sized("q_rank", rank, WIDEST)?;
            }
            sized("kv_rank", kv_rank, WIDEST)?;
            sized("qk_nope_dim", qk_nope_dim, 1 << 16)?;
            bounded("qk_rope_dim", qk_rope_dim, 1 << 16)?;
            sized("v_dim", v_dim, 1 << 16)
        }
    }
}

fn check_experts(experts: &Experts, layers: u32) -> Result<(), ModelError> {
    sized("experts.routed", experts.routed, 1 << 20)?;
    sized("experts.top_k", experts.top_k, 1 << 20)?;
    sized("experts.width", experts.width, WIDEST)?;
    bounded("experts.shared_width", experts.shared_width, WIDEST)?;
    sized("experts.every", experts.every, MOST_LAYERS)?;
    sized("experts.groups", experts.groups, 1 << 20)?;
    sized("experts.group_limit", experts.group_limit, 1 << 20)?;
    let Experts {
        routed,
        top_k,
        groups,
        group_limit,
        first_dense,
        ..
    } = *experts;
    exceeds("experts.top_k", top_k, "experts.routed", routed)?;
    exceeds("experts.first_dense", first_dense, "layers", layers)?;
    exceeds("experts.groups", groups, "experts.routed", routed)?;
    divides("experts.routed", routed, "experts.groups", groups)?;
    exceeds("experts.group_limit", group_limit, "experts.groups", groups)?;
    exceeds(
        "experts.top_k",
        top_k,
        "experts in reachable groups",
        routed / groups * group_limit,
    )
}

fn sized(field: &'static str, value: u32, limit: u32) -> Result<(), ModelError> {
    if value == 0 {
        return Err(ModelError::Zero { field });
    }
    bounded(field, value, limit)
}

fn bounded(field: &'static str, value: u32, limit: u32) -> Result<(), ModelError> {
    if value > limit {
        return Err(ModelError::TooLarge {
            field,
            value: value.into(),
            limit: limit.into(),
        });
    }
    Ok(())
}

fn exceeds(
    field: &'static str,
    value: u32,
    bound_field: &'static str,
    bound: u32,
) -> Result<(), ModelError> {
    if value > bound {
        return Err(ModelError::Exceeds {
            field,
            value,
            bound_field,
            bound,
        });
    }
    Ok(())
}

fn divides(
    field: &'static str,
    value: u32,
    divisor_field: &'static str,
    divisor: u32,
) -> Result<(), ModelError> {
    if !value.is_multiple_of(divisor) {
        return Err(ModelError::Indivisible {
            field,
            value,
            divisor_field,
            divisor,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Extras, Norm, Window};

    fn tiny() -> Model {
        Model {
            name: "tiny".into(),
            layers: 4,
            hidden: 64,
            ffn: 128,
            vocabulary: 100,
            attention: Attention::Grouped {
                heads: 4,
                kv_heads: 2,
                head_dim: 16,
            },
            experts: Some(Experts {
                routed: 8,
                top_k: 2,
                width: 32,
                shared_width: 32,
                first_dense: 1,
                every: 2,
                groups: 4,
                group_limit: 2,
            }),
            activation: Activation::Gated,
            norm: Norm::Rms,
            biases: false,
            qkv_biases: false,
            qk_norm: false,
            tied: false,
            learned_positions: 0,
            mtp: 0,
            extras: Extras::default(),
        }
    }

    fn refused(edit: impl Fn(&mut Model, &mut Experts)) -> String {
        let mut model = tiny();
        let mut experts = model.experts.take().unwrap();
        edit(&mut model, &mut experts);
        model.experts = Some(experts);
        model.check().unwrap_err().to_string()
    }

    #[test]
    fn each_problem_names_its_field() {
        assert_eq!(tiny().check(), Ok(()));
        let rows = [
            (refused(|m, _| m.layers = 0), "`layers` is 0"),
            (refused(|m, _| m.layers = u32::MAX), "`layers`"),
            (refused(|m, _| m.ffn = 0), "`ffn` is 0"),
            (refused(|m, _| m.hidden = u32::MAX), "`hidden`"),
            (refused(|_, e| e.top_k = 9), "`experts.top_k` is 9"),
            (refused(|_, e| e.top_k = 5), "experts in reachable groups"),
            (refused(|_, e| e.groups = 3), "`experts.groups` (3)"),
            (refused(|_, e| e.group_limit = 5), "`experts.group_limit`"),
            (refused(|_, e| e.every = 0), "`experts.every` is 0"),
            (refused(|_, e| e.first_dense = 5), "`experts.first_dense`"),
            (
                refused(|m, e| (m.hidden, e.width, e.routed) = (1 << 24, 1 << 24, 1 << 20)),
                "parameters",
            ),
            (
                refused(|m, _| {
                    m.attention = Attention::Grouped {
                        heads: 4,
                        kv_heads: 3,
                        head_dim: 16,
                    }
                }),
                "`heads` is 4, which `kv_heads` (3)",
            ),
        ];
        for (message, part) in rows {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    }

    #[test]
    fn a_dense_width_is_needed_only_where_a_layer_uses_it() {
        let mut model = tiny();
        model.ffn = 0;
        assert!(model.check().is_err());
        if let Some(experts) = &mut model.experts {
            (experts.first_dense, experts.every) = (0, 1);
        }
        assert_eq!(model.check(), Ok(()));
    }

    #[test]
    fn the_bound_is_above_the_count() {
        let model = tiny();
        // Norms are all that the bound leaves out.
        let count = model.parameters();
        assert!(model.rough_parameters() >= (count.total - count.norms) as f64);
    }

    #[test]
    fn layers_alternate_as_stated() {
        let mut model = tiny();
        let moe: Vec<_> = (0..4).map(|l| model.is_moe_layer(l)).collect();
        assert_eq!(moe, [false, true, false, true]);
        assert_eq!(model.moe_layers(), 2);
        model.extras.window = Some(Window {
            tokens: 8,
            full_every: 2,
        });
        assert_eq!(model.window_of(0), Some(8));
        assert_eq!(model.window_of(1), None);
    }
}

//! Passes with times: what blocks are made of.
//!
//! In: the op lists of a pass. Out: the same with times, exchanges apart. Never orders them.

use super::duration::{Durations, Timed};
use crate::links::{Exchange, ExchangeTime};
use crate::ops::{Class, Op, Pass, Segment, Work};
use std::rc::Rc;
use strait_units::{Bytes, Time};

/// A segment with times, in one mode (alone, or beside another chunk).
#[derive(Clone, Debug)]
pub(super) struct TimedSegment {
    pub ops: Rc<[Timed]>,
    pub exchange: Option<(ExchangeTime, Exchange, &'static str)>,
    pub filler: Rc<[Timed]>,
    pub layer: u32,
    /// It is of a layer, and not of an end of the model.
    pub in_layer: bool,
}

/// A pass with times.
#[derive(Clone, Debug)]
pub(super) struct TimedPass {
    pub forward: Vec<TimedSegment>,
    pub backward: Vec<TimedSegment>,
}

impl TimedPass {
    pub fn new(durations: &Durations<'_>, pass: &Pass, pair: bool) -> TimedPass {
        let list = |ops: &[Op], captured| {
            durations
                .launched(ops, durations.units(pair), captured)
                .into()
        };
        let time = |segment: &Segment| TimedSegment {
            ops: list(&segment.ops, segment.captured),
            exchange: segment.exchange.as_ref().map(|exchange| {
                let tokens = durations.tokens(exchange, pair);
                (durations.links.exchange(&tokens), tokens, exchange.name)
            }),
            filler: list(&segment.filler, segment.captured),
            layer: segment.layer,
            in_layer: false,
        };
        TimedPass {
            forward: pass.forward.iter().map(time).collect(),
            backward: pass.backward.iter().map(time).collect(),
        }
    }

    /// The same work of a layer whose kept activations, `bytes` in all, go to host memory behind its
    /// forward pass and come back before its backward pass, by copy engines beside the layer's
    /// compute: what that is too short to hide shows.
    pub fn offloaded(mut self, durations: &Durations<'_>, bytes: Bytes) -> TimedPass {
        let copy = |name, pass: &[TimedSegment]| {
            let op = Op {
                name,
                class: Class::Offload,
                work: Work::HostCopy(bytes),
                routed: false,
            };
            let units = durations.units(false);
            let kernels = (pass.iter()).flat_map(|s| s.ops.iter().chain(s.filler.iter()));
            let compute: Time = kernels.map(|timed| timed.time).sum();
            let time = durations.op(&op, units).saturating_sub(compute);
            (time > Time::ZERO).then(|| TimedSegment {
                ops: Rc::from([Timed {
                    op,
                    time,
                    speed: false,
                    units,
                }]),
                exchange: None,
                filler: Rc::from([]),
                layer: 0,
                in_layer: false,
            })
        };
        let out = copy("copy to host", &self.forward);
        let back = copy("copy from host", &self.backward);
        self.forward.extend(out);
        self.backward.splice(0..0, back);
        self
    }

    /// The same work in another layer.
    pub fn in_layer(&self, layer: u32) -> TimedPass {
        let mut copy = self.clone();
        for segment in copy.forward.iter_mut().chain(&mut copy.backward) {
            segment.layer = layer;
            segment.in_layer = true;
        }
        copy
    }
}

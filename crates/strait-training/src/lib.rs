//! Training on a cluster: hardware, models, layouts, and the physics of a step.
//!
//! In: a [`case::Case`]. Out: what one optimizer step and the whole run take, and why.
//! Never reads files, prints, or looks at the wall clock.
//!
//! # A tour
//!
//! [`simulate::simulate`] is the door. Behind it, in the order in which a case passes through:
//!
//! | room | what happens there |
//! |---|---|
//! | [`case`], [`model`], [`hardware`] | what is given: a model, a cluster, a layout, how much, with which software |
//! | [`run`] | which steps have to be simulated; later, the run that they add up to |
//! | [`layout`], [`schedule`] | who holds what, and in which order each rank works on its chunks |
//! | [`ops`] | the kernels of each layer, forward and backward |
//! | [`kernels`], [`links`] | how long a kernel takes, and a collective or an exchange |
//! | [`lower`] | all of this as rank programs for the engine, with what each duration depends on |
//! | [`step`] | one step: runs the engine and reads its accounts |
//! | [`campaign`] | the run with failures, checkpoints and what else keeps it from training, on a clock of its own |
//! | [`price`] | what the run costs and draws, and all that it took |
//! | [`rollout`] | phases of reinforcement learning: decoding, forward passes, updates |
//! | [`memory`] | the fullest rank, beside the simulation |
//! | [`outcome`] | the answer, as plain records |
//!
//! Each room knows only those before it, except that `run`, `campaign` and `step` call the others.

pub mod campaign;
pub mod case;
pub mod hardware;
pub mod kernels;
pub mod layout;
pub mod links;
pub mod lower;
pub mod memory;
pub mod model;
pub mod ops;
pub mod outcome;
pub mod price;
pub mod rollout;
pub mod run;
pub mod schedule;
pub mod simulate;
pub mod step;
pub mod timeline;
pub mod topology;

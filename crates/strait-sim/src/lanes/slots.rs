//! Slots of a set: when a block opens and closes.
//!
//! In: what is known of messages and streams. Out: openings and closings by lane, booked. Never
//! runs an instruction.

use super::column;
use super::plan::OPENED;
use super::run::{Lockstep, slot_at};
use super::set::Frame;
use crate::Timing;
use crate::engine::EngineError;
use crate::observer::{BlockSpan, Observer};
use crate::program::MAX_STREAMS;
use strait_units::Time;

impl<T: Timing, O: Observer> Lockstep<'_, T, O> {
    /// Opens the next slot if all it needs is known.
    pub(super) fn open(&mut self, at: usize) -> Result<bool, EngineError> {
        let plan = self.plan;
        let set = &mut self.all.sets[at];
        if set.current == set.slots {
            return Ok(false);
        }
        let slot_at = slot_at(set, set.current);
        let block_at = plan.slot_blocks[slot_at] as usize;
        let block = &plan.blocks[block_at];
        let slot = &plan.slots[slot_at];
        // A message that an earlier slot has waited for, or an earlier message, came before that.
        let mut needed = [None; 2];
        for (needed, entry) in needed.iter_mut().zip(slot.entry.iter().flatten()) {
            let channel = set.first_channel + usize::from(entry.channel);
            let state = &self.all.channels[channel];
            if state.sent < entry.count {
                return Ok(false);
            }
            *needed = (entry.count > state.taken).then_some((channel, entry.count));
        }
        if block.drains && !set.frames.is_empty() {
            return Ok(false);
        }
        if set.frames.len() >= self.ahead {
            self.held_back = true;
            return Ok(false);
        }

        let opened = &mut set.times;
        opened.copy_from_slice(&set.since);
        if block.drains {
            for stream in (0..MAX_STREAMS).filter(|s| set.foreground >> s & 1 == 0) {
                column::later(opened, &set.ready[stream]);
            }
        }
        let message = |(channel, count): (usize, u32)| {
            let channel = &self.all.channels[channel];
            &channel.queue[(count - channel.taken - 1) as usize]
        };
        for message in needed.into_iter().flatten().map(message) {
            column::later(opened, &message.arrived);
        }
        let window = usize::from(block.window);
        let accounts = &mut set.accounts;
        column::book(&mut accounts.gaps[window], &set.since, opened);
        let transfers = &mut accounts.gap_transfers[window];
        let times = |of: (usize, u32)| {
            let message = message(of);
            [&message.sent[..], &message.arrived[..]]
        };
        match needed {
            [Some(first), Some(second)] => {
                let (first, second) = (times(first), times(second));
                column::book_transfers(transfers, &set.since, opened, first, second);
            }
            [Some(only), None] | [None, Some(only)] => {
                column::book_transfer(transfers, &set.since, opened, times(only));
            }
            [None, None] => {}
        }
        if accounts.blocks[window] == 0 {
            accounts.first_open[window].copy_from_slice(opened);
        }
        set.since.copy_from_slice(opened);
        for stream in (0..MAX_STREAMS).filter(|s| set.foreground >> s & 1 == 1) {
            set.done[stream] = 0;
            if stream == 0 || block.occupied >> stream & 1 == 1 {
                set.ready[stream].copy_from_slice(opened);
            }
        }
        let mut frame = set.pool.pop().unwrap_or_else(|| Frame {
            times: vec![0; set.frame_length],
            ..Frame::default()
        });
        frame.slot = set.current;
        frame.pending = block.occupied & !set.foreground;
        if frame.pending != 0 {
            let lanes = opened.len();
            frame.times[OPENED as usize * lanes..][..lanes].copy_from_slice(opened);
        }
        set.frames.push_back(frame);
        set.open = true;

        for (channel, count) in needed.into_iter().flatten() {
            let channel = &mut self.all.channels[channel];
            while channel.taken < count {
                channel.pool.extend(channel.queue.pop_front());
                channel.taken += 1;
            }
            let feeder = channel.feeder;
            self.wake(feeder);
        }
        Ok(true)
    }

    /// Closes the open block if its foreground streams are done.
    pub(super) fn close(&mut self, at: usize) -> bool {
        let plan = self.plan;
        let set = &mut self.all.sets[at];
        if !set.open {
            return false;
        }
        let slot_at = slot_at(set, set.current);
        let block = &plan.blocks[plan.slot_blocks[slot_at] as usize];
        let mask = set.foreground & block.occupied;
        let foreground = (0..MAX_STREAMS).filter(|s| mask >> s & 1 == 1);
        if foreground.clone().any(|s| set.done[s] < block.length[s]) {
            return false;
        }
        let closed = &mut set.times;
        closed.copy_from_slice(&set.ready[0]);
        for stream in foreground.clone().filter(|s| *s > 0) {
            column::later(closed, &set.ready[stream]);
        }
        let window = usize::from(block.window);
        let accounts = &mut set.accounts;
        column::book(&mut accounts.window[window], &set.since, closed);
        accounts.last_close[window].copy_from_slice(closed);
        accounts.blocks[window] += 1;
        // Idle time at the end is booked to the last instruction of the stream that closes.
        for stream in foreground.clone().filter(|s| *s > 0) {
            let last = block.first[stream] as usize + usize::from(block.length[stream]) - 1;
            let account = usize::from(plan.ops[last].instruction.idle);
            let (first, rest) = set.ready.split_at_mut(1);
            let idle = &mut accounts.idle[account];
            column::close(&mut first[0], closed, &rest[stream - 1], idle);
        }
        let keys = plan.slots[slot_at].keys;
        for (lane, rank) in set.ranks.iter().enumerate() {
            self.observer.block(BlockSpan {
                rank: *rank,
                slot_index: set.current,
                window: block.window,
                keys,
                open: Time::from_picos(set.since[lane]),
                close: Time::from_picos(closed[lane]),
            });
        }
        set.since.copy_from_slice(closed);
        set.current += 1;
        set.open = false;
        self.slots_done += set.ranks.len() as u64;
        if set.frames.back().is_some_and(|frame| frame.pending == 0) {
            set.pool.extend(set.frames.pop_back());
        }
        true
    }
}

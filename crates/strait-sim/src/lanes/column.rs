//! Loops over columns: one value a lane, all slices of one length.
//!
//! In: slices of ticks. Out: sums and maxima in place. Plain loops, so that the compiler can
//! make vectors of them. Never looks at what a column means.
//!
//! Additions may not wrap: each returns the bitwise "or" of all terms and sums. If its top
//! bit is clear, terms and sums were below 2^63 and nothing has wrapped.

/// The later of both, in place.
pub(super) fn later(into: &mut [u64], other: &[u64]) {
    for (into, other) in into.iter_mut().zip(other) {
        *into = (*into).max(*other);
    }
}

/// Moves `ready` to `other` where that is later, and books the difference.
pub(super) fn wait(ready: &mut [u64], other: &[u64], idle: &mut [u64]) {
    for ((ready, other), idle) in ready.iter_mut().zip(other).zip(idle) {
        let start = (*ready).max(*other);
        *idle += start - *ready;
        *ready = start;
    }
}

/// Adds durations.
pub(super) fn advance(ready: &mut [u64], durations: &[u64]) -> u64 {
    let mut seen = 0;
    for (ready, duration) in ready.iter_mut().zip(durations) {
        *ready = ready.wrapping_add(*duration);
        seen |= *duration | *ready;
    }
    seen
}

/// Adds durations and books them.
pub(super) fn advance_booked(ready: &mut [u64], durations: &[u64], busy: &mut [u64]) -> u64 {
    let mut seen = 0;
    for ((ready, duration), busy) in ready.iter_mut().zip(durations).zip(busy) {
        *ready = ready.wrapping_add(*duration);
        *busy = busy.wrapping_add(*duration);
        seen |= *duration | *ready;
    }
    seen
}

/// Adds what lies between two times.
pub(super) fn book(into: &mut [u64], from: &[u64], to: &[u64]) {
    for ((into, from), to) in into.iter_mut().zip(from).zip(to) {
        *into += to - from;
    }
}

/// Adds the part of the time between `from` and `to` during which a message was on its way,
/// if it was the message that ended it: (sent, arrived).
pub(super) fn book_transfer(into: &mut [u64], from: &[u64], to: &[u64], message: [&[u64]; 2]) {
    let [sent, arrived] = message;
    for (lane, into) in into.iter_mut().enumerate() {
        if arrived[lane] == to[lane] {
            *into += to[lane] - from[lane].max(sent[lane]);
        }
    }
}

/// As [`book_transfer`] for two messages; of two that end it in one instant, the one sent
/// first counts.
pub(super) fn book_transfers(
    into: &mut [u64],
    from: &[u64],
    to: &[u64],
    first: [&[u64]; 2],
    second: [&[u64]; 2],
) {
    for (lane, into) in into.iter_mut().enumerate() {
        let mut sent = u64::MAX;
        for message in [first, second] {
            if message[1][lane] == to[lane] {
                sent = sent.min(message[0][lane]);
            }
        }
        *into += to[lane].saturating_sub(from[lane].max(sent));
    }
}

/// A collective of groups that are consecutive lanes, `size` each: all members of a group
/// start when the last is there. `ready` becomes the end; `arrivals` are where its waits
/// left each member. Durations by group.
pub(super) fn meet(
    ready: &mut [u64],
    arrivals: Option<&[u64]>,
    size: usize,
    durations: &[u64],
    accounts: Option<[&mut [u64]; 2]>,
) -> u64 {
    let mut seen = 0;
    let starts_and_ends = |group: usize, members: &[u64]| {
        let start = members
            .iter()
            .fold(0, |latest: u64, time| latest.max(*time));
        (start, start.wrapping_add(durations[group]))
    };
    let members = |group: usize| group * size..(group + 1) * size;
    match accounts {
        Some([idle, busy]) => {
            for group in 0..durations.len() {
                let members = members(group);
                let of = arrivals.map_or(&ready[members.clone()], |a| &a[members.clone()]);
                let (start, end) = starts_and_ends(group, of);
                seen |= durations[group] | end;
                let lanes = ready[members.clone()].iter_mut();
                let lanes = lanes.zip(&mut idle[members.clone()]);
                for ((ready, idle), busy) in lanes.zip(&mut busy[members]) {
                    *idle += start - *ready;
                    *busy = busy.wrapping_add(durations[group]);
                    *ready = end;
                }
            }
        }
        None => {
            for group in 0..durations.len() {
                let members = members(group);
                let of = arrivals.map_or(&ready[members.clone()], |a| &a[members.clone()]);
                let (_, end) = starts_and_ends(group, of);
                seen |= durations[group] | end;
                ready[members].fill(end);
            }
        }
    }
    seen
}

/// The latest arrival of each group, for groups that lie anyhow.
pub(super) fn latest(starts: &mut [u64], arrivals: &[u64], group_of: &[u32]) {
    for (arrival, group) in arrivals.iter().zip(group_of) {
        let start = &mut starts[*group as usize];
        *start = (*start).max(*arrival);
    }
}

/// The end of a collective for groups that lie anyhow.
pub(super) fn release(
    ready: &mut [u64],
    starts: &[u64],
    ends: &[u64],
    group_of: &[u32],
    accounts: Option<[&mut [u64]; 2]>,
) {
    let Some([idle, busy]) = accounts else {
        for (ready, group) in ready.iter_mut().zip(group_of) {
            *ready = ends[*group as usize];
        }
        return;
    };
    for (((ready, group), idle), busy) in ready.iter_mut().zip(group_of).zip(idle).zip(busy) {
        let (start, end) = (starts[*group as usize], ends[*group as usize]);
        *idle += start - *ready;
        *busy += end - start;
        *ready = end;
    }
}

/// Books the idle time between `ready` and `closed` where `stream` is what closed the block;
/// such lanes have none left for another stream.
pub(super) fn close(ready: &mut [u64], closed: &[u64], stream: &[u64], idle: &mut [u64]) {
    for (((ready, closed), stream), idle) in ready.iter_mut().zip(closed).zip(stream).zip(idle) {
        if stream == closed {
            *idle += closed - *ready;
            *ready = *closed;
        }
    }
}

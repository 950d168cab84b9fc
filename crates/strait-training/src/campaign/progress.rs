//! How far a run has come while it is up: training, checkpoints, and what would be left of it.
//!
//! In: a span of time. Out: the position afterwards, in whole microseconds of training at full
//! speed. Checkpoints between two events are counted, not made one by one. Never knows why a run
//! is interrupted.

/// No position or time that is ever reached.
pub(super) const NEVER: u64 = u64::MAX;

/// What progress depends on; fixed for a run. All in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Training between two checkpoints; [`NEVER`] for none.
    pub interval: u64,
    /// Stop for a checkpoint.
    pub stop: u64,
    /// From its end until the checkpoint is safe; at most `interval`.
    pub upload: u64,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Training so far of which something may come, at full speed.
    pub position: u64,
    /// All training so far, with what was lost.
    pub worked: u64,
    /// What slow machines added.
    pub straggling: u64,
    /// Stops for checkpoints.
    pub stopped: u64,
    /// Position of the next checkpoint: a multiple of the interval.
    next_save: u64,
    /// What is left of the stop in progress.
    stop_left: u64,
    /// Position of the last checkpoint, and when its stop ended.
    last: (u64, u64),
    /// Position of the last checkpoint that is safe whatever the time.
    safe: u64,
}

/// Time that training takes beside slow machines that add so many millionths.
pub(super) fn stretch(work: u64, slow: u64) -> u64 {
    let added = (u128::from(work) * u128::from(slow)).div_ceil(1_000_000);
    work.saturating_add(u64::try_from(added).unwrap_or(NEVER))
}

/// Training that is done in a time beside slow machines.
fn shrink(time: u64, slow: u64) -> u64 {
    let done = u128::from(time) * 1_000_000 / (1_000_000 + u128::from(slow));
    u64::try_from(done).unwrap_or(NEVER)
}

impl Progress {
    pub fn new(pace: &Pace) -> Progress {
        Progress {
            position: 0,
            worked: 0,
            straggling: 0,
            stopped: 0,
            next_save: pace.interval,
            stop_left: 0,
            last: (0, 0),
            safe: 0,
        }
    }

    /// Goes on from one time to another, not past `limit`.
    pub fn advance(&mut self, from: u64, to: u64, limit: u64, slow: u64, pace: &Pace) {
        let (mut now, mut left) = (from, to - from);
        while left > 0 {
            if self.stop_left > 0 {
                let here = left.min(self.stop_left);
                self.stopped += here;
                self.stop_left -= here;
                left -= here;
                now += here;
                if self.stop_left == 0 {
                    self.saved(now, pace);
                }
                continue;
            }
            let cycles = self.whole_cycles(left, limit, slow, pace);
            if cycles > 0 {
                let cycle = stretch(pace.interval, slow) + pace.stop;
                self.work(cycles * pace.interval);
                self.straggling += cycles * (cycle - pace.stop - pace.interval);
                self.stopped += cycles * pace.stop;
                left -= cycles * cycle;
                now += cycles * cycle;
                if cycles > 1 {
                    self.last = (self.position - pace.interval, 0);
                }
                self.saved(now, pace);
                continue;
            }
            let target = self.next_save.min(limit);
            if self.position >= target && target == limit {
                break;
            }
            let need = stretch(target - self.position, slow);
            if left < need {
                let work = shrink(left, slow);
                self.work(work);
                self.straggling += left - work;
                break;
            }
            self.straggling += need - (target - self.position);
            self.work(target - self.position);
            left -= need;
            now += need;
            if self.position == self.next_save && self.position < limit {
                self.stop_left = pace.stop;
                if pace.stop == 0 {
                    self.saved(now, pace);
                }
            }
        }
    }

    /// Whole rounds of training and checkpoint that fit before the time is up and before `limit`.
    fn whole_cycles(&self, left: u64, limit: u64, slow: u64, pace: &Pace) -> u64 {
        if pace.interval == NEVER || self.position.saturating_add(pace.interval) != self.next_save {
            return 0;
        }
        let cycle = stretch(pace.interval, slow) + pace.stop;
        let before = limit.saturating_sub(1).saturating_sub(self.position) / pace.interval;
        (left / cycle).min(before)
    }

    fn work(&mut self, work: u64) {
        self.position += work;
        self.worked += work;
    }

    /// The checkpoint at this position is made; the one before is safe by now, since an interval
    /// is at least as long as an upload.
    fn saved(&mut self, now: u64, pace: &Pace) {
        self.safe = self.last.0.max(self.safe);
        self.last = (self.position, now);
        self.next_save = self.position.saturating_add(pace.interval);
    }

    /// Time until `limit` is reached, stops on the way included.
    pub fn time_to(&self, limit: u64, slow: u64, pace: &Pace) -> u64 {
        let save = if self.stop_left > 0 {
            self.next_save.saturating_add(pace.interval)
        } else {
            self.next_save
        };
        if save >= limit {
            return self.stop_left + stretch(limit.saturating_sub(self.position), slow);
        }
        let more = (limit - 1 - save) / pace.interval;
        let cycle = stretch(pace.interval, slow) + pace.stop;
        self.stop_left
            + stretch(save - self.position, slow)
            + pace.stop
            + more * cycle
            + stretch(limit - save - more * pace.interval, slow)
    }

    /// Back to the last checkpoint that is safe.
    pub fn fall_back(&mut self, now: u64, pace: &Pace) {
        let (position, end) = self.last;
        if now >= end.saturating_add(pace.upload) {
            self.safe = self.safe.max(position);
        }
        self.position = self.safe;
        self.last = (self.safe, 0);
        self.stop_left = 0;
        // Checkpoints stay at multiples of the interval, also after one made before a planned stop.
        self.next_save = match pace.interval {
            NEVER => NEVER,
            interval => (self.position / interval + 1).saturating_mul(interval),
        };
    }

    /// A checkpoint at this position, safe at once: before a planned stop.
    pub fn save(&mut self, pace: &Pace) {
        self.safe = self.position;
        self.last = (self.position, 0);
        self.stop_left = 0;
        if self.position == self.next_save {
            self.next_save = self.position.saturating_add(pace.interval);
        }
    }
}

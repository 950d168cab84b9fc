//! Transfers of a run: when they go on the shared links, and when they come off.
//!
//! In: transfers with the time from which their bytes are on the links. Out: their tags at
//! the time they end. Never knows who waits for them.
//!
//! Both engines drive it the same way, so that sums of floats are the same to the last bit:
//! at each instant first everything that ends comes off ([`Shared::ended`], until nothing does),
//! then everything that starts goes on ([`Shared::start`]), in order of tags.

use crate::Transfer;
use crate::net::{Finished, Network, NetworkError, Plan};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use strait_units::{Bytes, Time};

/// A transfer that has been announced. Ordered by time, then tag.
#[derive(Clone, Copy, Debug)]
struct Post {
    at: u64,
    tag: u32,
    transfer: Transfer,
}

impl PartialEq for Post {
    fn eq(&self, other: &Post) -> bool {
        (self.at, self.tag) == (other.at, other.tag)
    }
}

impl Eq for Post {}

impl PartialOrd for Post {
    fn partial_cmp(&self, other: &Post) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Post {
    fn cmp(&self, other: &Post) -> std::cmp::Ordering {
        (self.at, self.tag).cmp(&(other.at, other.tag))
    }
}

/// What is on the links of a run, and what will be.
#[derive(Debug)]
pub(crate) struct Shared<'p> {
    plan: &'p Plan,
    network: Network<'p>,
    posts: BinaryHeap<Reverse<Post>>,
    ended: Vec<Finished>,
    /// The last time anything started or ended.
    now: u64,
    /// Whether the starts of `now` have been, and nothing ended since.
    started: bool,
    /// Whether what has ended left room that is not given to the others yet.
    unsettled: bool,
}

impl<'p> Shared<'p> {
    pub fn new(plan: &'p Plan) -> Shared<'p> {
        Shared {
            plan,
            network: Network::new(plan),
            posts: BinaryHeap::new(),
            ended: Vec::new(),
            now: 0,
            started: false,
            unsettled: false,
        }
    }

    /// Announces a transfer that is ready at `ready`; says when its bytes go on the links.
    /// No two in flight may have one tag.
    pub fn post(&mut self, ready: u64, tag: u32, transfer: Transfer) -> u64 {
        let at = ready.saturating_add(transfer.fixed.picos());
        self.posts.push(Reverse(Post { at, tag, transfer }));
        at
    }

    /// Whether a transfer that goes on the links at `at` can still be announced: nothing later
    /// has happened.
    pub fn in_time(&self, at: u64) -> bool {
        at > self.now || (at == self.now && !self.started)
    }

    /// Whether something is on the links, although nothing happens there any more: what is left
    /// of a link is so little that it ends after the end of time.
    pub fn never_ends(&self) -> bool {
        self.network.in_flight() > 0
    }

    /// When something starts or may end next. `None`: never.
    pub fn next(&mut self) -> Option<u64> {
        if self.unsettled {
            return Some(self.now);
        }
        let start = self.posts.peek().map(|Reverse(post)| post.at);
        let end = self.network.next_time().map(Time::picos);
        match (start, end) {
            (Some(start), Some(end)) => Some(start.min(end)),
            (start, end) => start.or(end),
        }
    }

    /// Takes what ends at `now` off the links: its tags. Nothing may end earlier.
    pub fn ended(&mut self, now: u64, tags: &mut Vec<u32>) {
        if (self.network.next_time()).is_none_or(|next| next.picos() > now) {
            return;
        }
        (self.now, self.started) = (now, false);
        self.unsettled = true;
        self.ended.clear();
        self.network.finish(Time::from_picos(now), &mut self.ended);
        tags.extend(self.ended.iter().map(|finished| finished.tag));
    }

    /// Puts what starts at `now` on the links and shares them anew. Call it once nothing ends.
    pub fn start(&mut self, now: u64) -> Result<(), NetworkError> {
        let time = Time::from_picos(now);
        (self.now, self.started) = (now, true);
        while let Some(&Reverse(post)) = self.posts.peek()
            && post.at == now
        {
            self.posts.pop();
            let Transfer {
                template, sizes, ..
            } = post.transfer;
            let parts = self.plan.parts_of(template)?;
            let sizes: &[Bytes] = sizes.get(..parts).ok_or(NetworkError::Sizes {
                parts,
                given: sizes.len(),
            })?;
            self.network.start(time, template, sizes, post.tag)?;
        }
        self.network.settle(time);
        self.unsettled = false;
        Ok(())
    }
}

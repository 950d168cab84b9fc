//! Chrome trace events: one JSON object a line, in an array.
//!
//! In: chunks and slices. Out: their events as text. Never reorders, and never prints a
//! floating-point number: times are integers with the point put in.
//!
//! Counters say how busy a rank's NIC and scale-up port are with what it sends: the bytes of a
//! transfer at mean load over its time, in hundredths of a percent of the raw rate; one for each
//! kind of traffic, for kinds may overlap.
//!
//! The format is Chrome's "Trace Event Format" (Google, 2013 and later). A process is a rank,
//! a thread is a stream of it. Times are microseconds with six decimals, that is exact to the
//! picosecond. Perfetto keeps whole nanoseconds, cutting off the start and the length of a
//! slice each for itself (it computes `(int64)(number * 1000.0)`), and drops a slice that then
//! outlasts the one around it. So:
//! - a slice around others ends, in Perfetto's arithmetic, where its end is cut off: its
//!   printed length may differ from the true one by less than a nanosecond;
//! - a whole number of nanoseconds that would be cut to the one before gets a seventh decimal.

use super::choice::Window;
use super::file::Sink;
use std::io;
use std::path::PathBuf;
use strait_training::layout::Layout;
use strait_training::timeline::{Chunk, ChunkKind, Recorder, Slice, Track, Wait};
use strait_units::{Bandwidth, Bytes, Time};

/// Threads of a rank, in the order in which they are shown.
const THREADS: [(u32, &str); 5] = [
    (COMPUTE, "compute"),
    (WAITING, "waiting"),
    (EXCHANGE, "expert exchange"),
    (SENDS, "pipeline sends"),
    (DATA, "data"),
];
const COMPUTE: u32 = 1;
const WAITING: u32 = 2;
const EXCHANGE: u32 = 3;
const SENDS: u32 = 4;
const DATA: u32 = 5;

/// Thread ids are distinct over all ranks, and none is a rank's process id.
const THREADS_PER_RANK: u64 = 10;

fn thread(rank: u32, thread: u32) -> u64 {
    u64::from(rank) * THREADS_PER_RANK + u64::from(thread)
}

/// Raw rates of a rank's links one way, in bytes a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub nic: Bandwidth,
    pub port: Bandwidth,
}

/// Writes events to a sink.
pub struct Writer<S> {
    sink: S,
    rates: Rates,
    window: Window,
    limit: Option<u64>,
    bytes: u64,
    slices: u64,
    events: u64,
    failure: Option<(PathBuf, io::Error)>,
    /// One event under construction.
    line: Vec<u8>,
}

/// An event under construction.
struct Event<'e> {
    rank: u32,
    thread: u32,
    name: &'e dyn Fn(&mut Vec<u8>),
    category: &'static str,
    start: Time,
    /// Printed length in picoseconds.
    length: u64,
    args: &'e [(&'static str, Option<u32>)],
}

impl<S: Sink> Writer<S> {
    pub fn new(sink: S, rates: Rates, window: Window, limit: Option<Bytes>) -> Writer<S> {
        Writer {
            sink,
            rates,
            window,
            limit: limit.map(Bytes::get),
            bytes: 0,
            slices: 0,
            events: 0,
            failure: None,
            line: Vec::with_capacity(256),
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Slices so far.
    pub fn slices(&self) -> u64 {
        self.slices
    }

    /// Why it stopped, if something could not be written.
    pub fn failure(&mut self) -> Option<(PathBuf, io::Error)> {
        self.failure.take()
    }

    /// It stopped because there was more than is allowed.
    pub fn is_too_large(&self) -> bool {
        self.limit.is_some_and(|limit| self.bytes > limit)
    }

    pub fn into_sink(self) -> S {
        self.sink
    }

    /// Names of processes and threads.
    pub fn begin(&mut self, title: &str, layout: &Layout, ranks: &[u32]) {
        for &rank in ranks {
            let at = layout.coords(rank);
            let mut name = format!("rank {rank}: stage {}, data {}", at.pipeline, at.data);
            for (what, size, index) in [
                ("context", layout.context, at.context),
                ("tensor", layout.tensor, at.tensor),
                ("expert", layout.expert, at.expert),
            ] {
                if size > 1 {
                    name += &format!(", {what} {index}");
                }
            }
            self.metadata(rank, None, "process_name", "name", &text(&name));
            self.metadata(rank, None, "process_labels", "labels", &text(title));
            let order = rank.to_string();
            self.metadata(rank, None, "process_sort_index", "sort_index", &order);
            for (id, name) in THREADS {
                self.metadata(rank, Some(id), "thread_name", "name", &text(name));
                let order = id.to_string();
                self.metadata(rank, Some(id), "thread_sort_index", "sort_index", &order);
            }
        }
    }

    /// Closes the array.
    pub fn finish(&mut self) {
        let end: &[u8] = if self.events == 0 { b"[]\n" } else { b"\n]\n" };
        self.put(end);
    }

    fn metadata(&mut self, rank: u32, id: Option<u32>, what: &str, key: &str, value: &str) {
        let tid = id.map_or(String::new(), |id| format!(",\"tid\":{}", thread(rank, id)));
        let line = format!(
            "{{\"ph\":\"M\",\"pid\":{rank}{tid},\"name\":\"{what}\",\"args\":{{\"{key}\":{value}}}}}"
        );
        self.event(line.as_bytes());
    }

    fn event(&mut self, line: &[u8]) {
        let separator: &[u8] = if self.events == 0 { b"[\n" } else { b",\n" };
        self.events += 1;
        self.put(separator);
        self.put(line);
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failure.is_some() || self.is_too_large() {
            return;
        }
        self.bytes += bytes.len() as u64;
        if let Err(error) = self.sink.write_all(bytes) {
            self.failure = Some((self.sink.path(), error));
        }
    }

    fn slice(&mut self, event: &Event<'_>) {
        self.slices += 1;
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.extend_from_slice(b"{\"ph\":\"X\",\"pid\":");
        number(&mut line, u64::from(event.rank));
        line.extend_from_slice(b",\"tid\":");
        number(&mut line, thread(event.rank, event.thread));
        line.extend_from_slice(b",\"ts\":");
        micros(&mut line, event.start.picos());
        line.extend_from_slice(b",\"dur\":");
        micros(&mut line, event.length);
        line.extend_from_slice(b",\"name\":\"");
        (event.name)(&mut line);
        line.extend_from_slice(b"\",\"cat\":\"");
        line.extend_from_slice(event.category.as_bytes());
        line.push(b'"');
        let mut before: &[u8] = b",\"args\":{\"";
        for &(key, value) in event.args {
            let Some(value) = value else { continue };
            line.extend_from_slice(before);
            line.extend_from_slice(key.as_bytes());
            line.extend_from_slice(b"\":");
            number(&mut line, u64::from(value));
            before = b",\"";
        }
        if before.len() < 4 {
            line.push(b'}');
        }
        line.push(b'}');
        self.event(&line);
        self.line = line;
    }

    fn op(&mut self, rank: u32, slice: &Slice) {
        let (thread, category) = match slice.track {
            Track::Compute => (COMPUTE, "op"),
            Track::Exchange => (EXCHANGE, "exchange"),
            Track::Sends => (SENDS, "send"),
            Track::Data => (DATA, "data"),
        };
        if self.window.shows(slice.start, slice.end) {
            self.slice(&Event {
                rank,
                thread,
                name: &|line| escaped(line, slice.name),
                category,
                start: slice.start,
                length: (slice.end - slice.start).picos(),
                args: &[("mb", slice.micro_batch), ("layer", slice.layer)],
            });
            let Rates { nic, port } = self.rates;
            let kind = match slice.track {
                Track::Exchange => "exchange",
                Track::Sends => "sends",
                Track::Data => "data",
                Track::Compute => "blocking",
            };
            self.busy(rank, "NIC out", kind, slice, slice.nic, nic);
            self.busy(rank, "port out", kind, slice, slice.port, port);
        }
    }

    /// How busy a link is with a slice.
    fn busy(
        &mut self,
        rank: u32,
        link: &'static str,
        kind: &'static str,
        slice: &Slice,
        bytes: Bytes,
        rate: Bandwidth,
    ) {
        let length = u128::from((slice.end - slice.start).picos());
        let whole = length * rate.get() as u128;
        if bytes == Bytes::ZERO || whole == 0 {
            return;
        }
        // Of 10,000; bytes a picosecond are 10^12 bytes a second.
        let share = u128::from(bytes.get()) * 10_000 * 1_000_000_000_000 / whole;
        let share = share.min(10_000) as u64;
        for (at, share) in [(slice.start, share), (slice.end, 0)] {
            let mut line = std::mem::take(&mut self.line);
            line.clear();
            line.extend_from_slice(b"{\"ph\":\"C\",\"pid\":");
            number(&mut line, u64::from(rank));
            line.extend_from_slice(b",\"ts\":");
            micros(&mut line, at.picos());
            line.extend_from_slice(b",\"name\":\"");
            line.extend_from_slice(link.as_bytes());
            line.extend_from_slice(b": ");
            line.extend_from_slice(kind.as_bytes());
            line.extend_from_slice(b"\",\"args\":{\"%\":");
            number(&mut line, share / 100);
            line.push(b'.');
            line.push(b'0' + (share / 10 % 10) as u8);
            line.push(b'0' + (share % 10) as u8);
            line.extend_from_slice(b"}}");
            self.event(&line);
            self.line = line;
        }
    }

    fn wait(&mut self, rank: u32, wait: &Wait) {
        let (thread, category) = match wait.track {
            Track::Exchange => (EXCHANGE, "wait"),
            _ => (WAITING, "wait"),
        };
        if self.window.shows(wait.start, wait.end) {
            self.slice(&Event {
                rank,
                thread,
                name: &|line| {
                    line.extend_from_slice(b"wait for ");
                    escaped(line, wait.cause);
                },
                category,
                start: wait.start,
                length: (wait.end - wait.start).picos(),
                args: &[],
            });
        }
    }

    /// Time before a chunk without one.
    fn bubble(&mut self, chunk: &Chunk<'_>) {
        let what: &str = match chunk.kind {
            ChunkKind::Forward => "bubble: wait for activations",
            ChunkKind::Backward | ChunkKind::BackwardInput => "bubble: wait for gradients",
            ChunkKind::Pair => "bubble: wait for activations or gradients",
            ChunkKind::Optimizer => "wait for sends and gradient exchange",
            ChunkKind::Gather | ChunkKind::BackwardWeight => "bubble",
        };
        self.slice(&Event {
            rank: chunk.rank,
            thread: WAITING,
            name: &|line| line.extend_from_slice(what.as_bytes()),
            category: "bubble",
            start: chunk.since,
            length: (chunk.open - chunk.since).picos(),
            args: &[("forward", chunk.forward), ("backward", chunk.backward)],
        });
    }
}

impl<S: Sink> Recorder for Writer<S> {
    fn chunk(&mut self, chunk: &Chunk<'_>) {
        if chunk.open > chunk.since && self.window.shows(chunk.since, chunk.open) {
            self.bubble(chunk);
        }
        let empty = chunk.slices.is_empty() && chunk.open == chunk.close;
        if empty || !self.window.shows(chunk.open, chunk.close) {
            return;
        }
        // Before its ops: a slice comes before those inside it.
        let layers = || {
            let layers = chunk.slices.iter().filter_map(|slice| slice.layer);
            (layers.clone().min(), layers.max())
        };
        let (first, last) = match chunk.kind {
            // Of a pair the directions have layers of their own.
            ChunkKind::Pair => (None, None),
            _ => layers(),
        };
        self.slice(&Event {
            rank: chunk.rank,
            thread: COMPUTE,
            name: &|line| title(line, chunk),
            category: "chunk",
            start: chunk.open,
            length: around(chunk.open, chunk.close),
            args: &[
                ("forward", chunk.forward),
                ("backward", chunk.backward),
                ("first layer", first),
                ("last layer", last),
            ],
        });
        for slice in chunk.slices {
            self.op(chunk.rank, slice);
        }
        for wait in chunk.waits {
            self.wait(chunk.rank, wait);
        }
    }

    fn background(&mut self, rank: u32, slice: &Slice) {
        self.op(rank, slice);
    }

    fn keep_going(&self) -> bool {
        self.failure.is_none() && !self.is_too_large()
    }
}

/// The name of a chunk.
fn title(line: &mut Vec<u8>, chunk: &Chunk<'_>) {
    let words: &[u8] = match chunk.kind {
        ChunkKind::Gather => b"gather parameters",
        ChunkKind::Forward => b"forward mb ",
        ChunkKind::Backward => b"backward mb ",
        ChunkKind::BackwardInput => b"backward input mb ",
        ChunkKind::BackwardWeight => b"weight gradients mb ",
        ChunkKind::Pair => b"pair ",
        ChunkKind::Optimizer => b"optimizer",
    };
    line.extend_from_slice(words);
    let mut before: &[u8] = b"";
    for micro_batch in [chunk.forward, chunk.backward].into_iter().flatten() {
        line.extend_from_slice(before);
        number(line, u64::from(micro_batch));
        before = b"|";
    }
}

/// Length of a slice around others, in picoseconds: it ends where whole nanoseconds say.
fn around(open: Time, close: Time) -> u64 {
    let length = (close - open).picos();
    let nanos = close.picos() / 1000 - open.picos() / 1000;
    if length / 1000 == nanos {
        length
    } else {
        nanos * 1000
    }
}

/// A string as JSON.
fn text(words: &str) -> String {
    let mut line = vec![b'"'];
    escaped(&mut line, words);
    line.push(b'"');
    String::from_utf8_lossy(&line).into_owned()
}

/// The inside of a JSON string.
fn escaped(line: &mut Vec<u8>, words: &str) {
    for byte in words.bytes() {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            0..0x20 => line.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => line.push(byte),
        }
    }
}

fn number(line: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

/// Picoseconds as microseconds with six decimals.
pub(super) fn micros(line: &mut Vec<u8>, picos: u64) {
    number(line, picos / 1_000_000);
    line.push(b'.');
    let rest = picos % 1_000_000;
    let mut scale = 100_000;
    while scale > 0 {
        line.push(b'0' + (rest / scale % 10) as u8);
        scale /= 10;
    }
    // Division of two exact floats gives the float that a reader gets from the text.
    let read = (picos as f64 / 1e6 * 1000.0) as u64;
    if rest.is_multiple_of(1000) && read < picos / 1000 {
        line.push(b'1');
    }
}

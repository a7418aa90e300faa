//! Events from a file or standard input, sent one by one or accepted in an outbox.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use intercom_core::{DataEvent, ErrorKind};
use intercom_delivery::outbox::{AcceptError, DeadLetterReason, EventId, Operate, Selection};
use intercom_delivery::{Delivery, MemoryOutbox, State, UnknownContact};
use serde::Serialize;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

use super::event::Input;
use super::{Arguments, Request, line};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::{Failure, with_sources};
use crate::flushing::{Flushing, SHUTDOWN_TIMEOUT};
use crate::lock_file::LockFile;
use crate::outbox_location::AnyOutbox;
use crate::output::{Printable, count};

/// The limit of a line in bytes, which is Intercom's limit of a body.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The limit of events in one transaction.
const BATCH: usize = 1_000;

/// A line of the input, and its number.
struct NumberedLine {
    number: u64,
    text: Vec<u8>,
}

/// An event, and the number of its line.
struct NumberedEvent {
    line: u64,
    event: DataEvent,
}

/// The destination of the input's events.
enum Sink {
    /// Into an outbox, whose application delivers.
    Outbox(Arc<dyn AnyOutbox>),
    /// Into an outbox that this process delivers from.
    Flushing(Flushing),
    /// To Intercom, by a delivery over memory.
    Direct(Direct),
    /// No destination: prints the requests.
    Shown { base_url: String },
}

/// Whether a sink accepted all events.
enum Taken {
    All,
    /// It accepted none: the outbox can never hold this many at once.
    TooMany,
}

/// Reads the events, and passes them to the sink.
pub(super) async fn run(
    context: &Context,
    arguments: &Arguments,
    input: Input,
    lock: Option<&LockFile>,
) -> Result<Exit, Failure> {
    let input: Box<dyn AsyncBufRead + Send + Unpin> = match input {
        Input::StandardInput => Box::new(BufReader::new(tokio::io::stdin())),
        Input::File(path) => {
            let file = File::open(&path).await.map_err(|error| {
                Failure::file(format!("cannot read {}", path.display()), &error)
            })?;
            Box::new(BufReader::new(file))
        }
    };
    let mut sink = Sink::new(context, arguments).await?;
    let mut lines = read_lines(input);
    let mut tally = Tally::default();
    let mut batch = Vec::new();
    let ended = loop {
        let read = tokio::select! {
            biased;
            () = context.interrupt.wait() => break Err(Failure::interrupted("interrupted")),
            read = lines.recv_many(&mut batch, BATCH) => read,
        };
        if read == 0 {
            break Ok(());
        }
        let (mut events, mut unread) = (Vec::new(), Ok(()));
        for line in mem::take(&mut batch) {
            let NumberedLine { number, text } = match line {
                Ok(line) => line,
                Err(failure) => {
                    unread = Err(failure);
                    break;
                }
            };
            match parse(&text, lock) {
                Ok(None) => {}
                Ok(Some(event)) => events.push(NumberedEvent { line: number, event }),
                Err(failure) => tally.invalid(context, number, &failure),
            }
        }
        if let Err(failure) = sink.take_all(context, events, &mut tally).await {
            break Err(failure);
        }
        if unread.is_err() {
            break unread;
        }
    };
    sink.end(context, Duration::from_secs(arguments.timeout), tally, ended).await
}

/// Reads lines on a separate task, so that the outbox accepts all present lines together.
fn read_lines(
    mut input: Box<dyn AsyncBufRead + Send + Unpin>,
) -> mpsc::Receiver<Result<NumberedLine, Failure>> {
    let (send, lines) = mpsc::channel(BATCH);
    tokio::spawn(async move {
        for number in 1.. {
            let mut text = Vec::new();
            let read = (&mut input).take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut text).await;
            let line = match read {
                Ok(0) => break,
                Ok(_) => Ok(NumberedLine { number, text }),
                Err(error) => Err(Failure::file(format!("cannot read line {number}"), &error)),
            };
            let is_last = line.is_err();
            if send.send(line).await.is_err() || is_last {
                break;
            }
        }
    });
    lines
}

/// Encodes the event of a line, unless it is blank.
fn parse(text: &[u8], lock: Option<&LockFile>) -> Result<Option<DataEvent>, Failure> {
    if text.len() as u64 > MAX_LINE_BYTES {
        return Err(Failure::usage(format!(
            "the line is longer than {MAX_LINE_BYTES} bytes; shorten its values"
        )));
    }
    let text = str::from_utf8(text)
        .map_err(|_| Failure::usage("the line is not UTF-8; convert the input to UTF-8"))?;
    match text.trim() {
        "" => Ok(None),
        text => line::event(text, lock).map(Some),
    }
}

/// Adds the number of the first refused line to a failure.
fn prefixed(failure: Failure, line: u64) -> Failure {
    match failure {
        Failure::Reported(mut report) => {
            report.message = format!("nothing from line {line} on was taken: {}", report.message);
            Failure::Reported(report)
        }
        Failure::PipeClosed => failure,
    }
}

impl Sink {
    async fn new(context: &Context, arguments: &Arguments) -> Result<Self, Failure> {
        if arguments.dry_run {
            let base_url = context.settings.base_url(&arguments.access)?.value;
            return Ok(Sink::Shown { base_url });
        }
        let Some(location) = context.settings.outbox(&arguments.outbox)? else {
            if arguments.flush {
                return Err(Failure::usage("--flush needs an outbox; name one with --outbox"));
            }
            let transport = context.settings.transport(&arguments.access)?;
            return Direct::start(transport).map(Sink::Direct);
        };
        if !arguments.flush {
            return context.interrupt.or(location.value.open()).await.map(Sink::Outbox);
        }
        let transport = context.settings.transport(&arguments.access)?;
        let outbox = context.interrupt.or(location.value.open()).await?;
        Flushing::start(transport, outbox).map(Sink::Flushing)
    }

    /// Passes events on in their order, in parts if the outbox can never hold all of them at once.
    ///
    /// # Errors
    ///
    /// Fails when the sink refuses an event. It has accepted all events before.
    async fn take_all(
        &mut self,
        context: &Context,
        events: Vec<NumberedEvent>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let (lines, events): (Vec<_>, Vec<_>) =
            events.into_iter().map(|NumberedEvent { line, event }| (line, event)).unzip();
        let (mut from, mut size) = (0, events.len());
        while from < events.len() {
            let part = from..events.len().min(from + size);
            let taken = self.take(context, &events[part.clone()], &lines[part.clone()]).await;
            match taken.map_err(|failure| prefixed(failure, lines[from]))? {
                Taken::All => {
                    tally.taken += part.len() as u64;
                    tally.last_line = lines[part.end - 1];
                    from = part.end;
                }
                Taken::TooMany => size = part.len() / 2,
            }
        }
        Ok(())
    }

    /// Passes events on, all or none.
    async fn take(
        &mut self,
        context: &Context,
        events: &[DataEvent],
        lines: &[u64],
    ) -> Result<Taken, Failure> {
        match self {
            Sink::Outbox(outbox) => match outbox.accept(events).await {
                Err(AcceptError::ExceedsCapacity) if events.len() > 1 => return Ok(Taken::TooMany),
                accepted => accepted?,
            },
            Sink::Flushing(flushing) => {
                let accepted = tokio::select! {
                    accepted = flushing.accept(events) => accepted,
                    () = context.interrupt.wait() => return Err(Failure::interrupted("interrupted")),
                };
                match accepted {
                    Err(error) if error.kind() == ErrorKind::Unsupported && events.len() > 1 => {
                        return Ok(Taken::TooMany);
                    }
                    accepted => accepted?,
                }
            }
            Sink::Direct(direct) => {
                tokio::select! {
                    taken = direct.take(events, lines) => taken?,
                    () = context.interrupt.wait() => return Err(Failure::interrupted("interrupted")),
                }
            }
            Sink::Shown { base_url } => {
                let show = |event| context.output.data(&Request::new(base_url, event));
                events.iter().try_for_each(show)?;
            }
        }
        Ok(Taken::All)
    }

    /// Waits for requests in flight, and prints the totals.
    async fn end(
        self,
        context: &Context,
        deadline: Duration,
        mut tally: Tally,
        ended: Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        let rest = match self {
            Sink::Shown { .. } | Sink::Outbox(_) => Ok(()),
            Sink::Flushing(flushing) => flushing.flush(context, deadline).await.map(drop),
            Sink::Direct(direct) => direct.end(context, deadline, &mut tally).await,
        };
        // The command has succeeded even if no reader takes the totals.
        let _ = context.output.data(&tally);
        ended?;
        rest?;
        match (tally.refused(), tally.taken) {
            (0, _) => Ok(Exit::Done),
            (refused, taken) => {
                let exit = if taken > tally.dead { Exit::InPart } else { Exit::Failed };
                let message = format!("refused: {}", count(refused, "line"));
                Err(Failure::new(exit, "refused", message))
            }
        }
    }
}

/// A delivery over an outbox in memory. It paces, retries, and moves events of one slot to distinct
/// seconds.
struct Direct {
    delivery: Delivery,
    outbox: Arc<MemoryOutbox>,
    /// The line of each event, by the event's number in the outbox, which counts from 0.
    lines: Vec<u64>,
}

impl Direct {
    fn start(transport: intercom_http::HttpTransport) -> Result<Self, Failure> {
        let outbox = Arc::new(MemoryOutbox::new().max_dead_letters(usize::MAX));
        let delivery = Delivery::builder(transport)
            .outbox(Arc::clone(&outbox))
            .unknown_contact(UnknownContact::DeadLetter)
            .start();
        let delivery = delivery
            .map_err(|error| Failure::new(Exit::Failed, "delivery", with_sources(&error)))?;
        Ok(Direct { delivery, outbox, lines: Vec::new() })
    }

    /// Sends events one by one, and waits for room.
    async fn take(&mut self, events: &[DataEvent], lines: &[u64]) -> Result<(), Failure> {
        for (event, line) in events.iter().zip(lines) {
            self.delivery.send_all(std::slice::from_ref(event)).await?;
            self.lines.push(*line);
        }
        Ok(())
    }

    /// Waits for the rest, and names each undelivered line.
    async fn end(
        self,
        context: &Context,
        deadline: Duration,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        tally.taken = self.lines.len() as u64;
        let state = tokio::select! {
            _ = self.delivery.flush(deadline) => self.delivery.status().state,
            // Still waits for requests in flight.
            () = context.interrupt.wait() => self.delivery.status().state,
        };
        let _ = self.delivery.shutdown(SHUTDOWN_TIMEOUT).await;
        // Buries the rest, because only dead letters can be listed.
        self.outbox.bury(&Selection::All).await?;
        let mut after: Option<EventId> = None;
        loop {
            let letters = self.outbox.dead_letters(after, BATCH).await?;
            let Some(last) = letters.last() else { break };
            after = Some(last.id);
            for letter in &letters {
                let line = usize::try_from(letter.id.get()).ok().and_then(|id| self.lines.get(id));
                let is_pending = letter.reason == DeadLetterReason::Buried;
                tally.pending += u64::from(is_pending);
                tally.dead += u64::from(!is_pending);
                let message = letter.failure.as_ref().map(|failure| failure.message.clone());
                let _ = context.output.data(&LineOutcome {
                    line: line.copied().unwrap_or_default(),
                    outcome: if is_pending { "pending" } else { letter.reason.as_str() },
                    message: message.unwrap_or_else(|| letter.event.event_name().to_string()),
                });
            }
        }
        tally.delivered = Some(tally.taken - tally.pending - tally.dead);
        if tally.pending == 0 {
            return Ok(());
        }
        let rest = format!("not delivered: {}; send them again", count(tally.pending, "line"));
        let (exit, message) = match state {
            State::Stopped(trouble) => (Exit::Operator, format!("{}; {rest}", trouble.message)),
            State::Outage(trouble) => (Exit::Later, format!("{}; {rest}", trouble.message)),
            _ => (Exit::Later, rest),
        };
        Err(Failure::new(exit, "pending", message))
    }
}

/// The totals of a stream of lines.
#[derive(Default, Serialize)]
struct Tally {
    /// Events that the command sent, accepted or printed.
    taken: u64,
    /// The line number of the last of these events.
    last_line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<u64>,
    /// Lines without an event, or with an event that Intercom would refuse.
    invalid: u64,
    /// Events that Intercom refused.
    dead: u64,
    /// Events not delivered in time.
    pending: u64,
}

impl Tally {
    fn refused(&self) -> u64 {
        self.invalid + self.dead
    }

    fn invalid(&mut self, context: &Context, line: u64, failure: &Failure) {
        self.invalid += 1;
        let Failure::Reported(report) = failure else { return };
        let message = report.message.clone();
        let _ = context.output.data(&LineOutcome { line, outcome: "invalid", message });
    }
}

impl Printable for Tally {
    const TYPE: &'static str = "summary";
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { taken, last_line, delivered, invalid, dead, pending } = self;
        match delivered {
            Some(delivered) => write!(f, "{delivered} delivered")?,
            None => write!(f, "{taken} taken, up to line {last_line}")?,
        }
        for (number, what) in [(invalid, "invalid"), (dead, "refused"), (pending, "pending")] {
            if *number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        Ok(())
    }
}

/// Why a line's event was refused or not delivered.
#[derive(Serialize)]
struct LineOutcome {
    line: u64,
    /// `invalid`, `pending`, or the reason of a dead letter.
    outcome: &'static str,
    message: String,
}

impl Printable for LineOutcome {
    const TYPE: &'static str = "line";
}

impl fmt::Display for LineOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.outcome, self.message)
    }
}

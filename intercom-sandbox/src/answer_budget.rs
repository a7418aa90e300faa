//! The memory budget of answers that clients have not read yet, for all slow clients together.
//!
//! A connection reads an answer piece by piece, and the rest waits here. When a new answer exceeds
//! the budget, the budget drops the answer that has been idle longest. Its client sees the answer
//! end too early, and repeats its request.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use thiserror::Error;

use crate::reply::Reply;
use crate::server::PIECE;
use crate::sync::lock;

/// The bytes that wait for all clients together. A single answer can be larger.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// All waiting answers.
#[derive(Clone, Default)]
pub(crate) struct AnswerBudget {
    waiting: Arc<Mutex<PendingAnswers>>,
}

#[derive(Default)]
struct PendingAnswers {
    /// Their bytes in memory, including the read part of unfinished answers.
    bytes: usize,
    last: u64,
    /// In order of arrival or of the last read.
    texts: BTreeMap<u64, PendingText>,
}

struct PendingText {
    /// Without spare capacity.
    bytes: Box<[u8]>,
    taken: usize,
}

/// A share of the budget, for one waiting answer. Dropping the value drops the answer.
pub(crate) struct PendingAnswer {
    budget: AnswerBudget,
    number: u64,
    left: usize,
}

/// The budget dropped this answer, because newer answers needed its memory.
#[derive(Debug, Error)]
#[error("the client did not read the answer in time")]
pub(crate) struct AnswerDropped;

impl AnswerBudget {
    /// Adds an answer that waits.
    pub(crate) fn keep(&self, text: impl Into<Vec<u8>>) -> PendingAnswer {
        let bytes = text.into().into_boxed_slice();
        let mut waiting = lock(&self.waiting);
        waiting.last += 1;
        let (number, left) = (waiting.last, bytes.len());
        waiting.bytes += left;
        waiting.texts.insert(number, PendingText { bytes, taken: 0 });
        while waiting.bytes > MAX_WAITING_BYTES
            && let Some((&oldest, _)) = waiting.texts.first_key_value()
            && oldest != number
        {
            waiting.forget(oldest);
        }
        PendingAnswer { budget: self.clone(), number, left }
    }

    /// Answers with this text, which waits until the client reads it.
    pub(crate) fn response(&self, mut reply: Reply) -> Response {
        let body = self.keep(std::mem::take(&mut reply.body));
        reply.into_response().map(|_| Body::new(body))
    }
}

impl PendingAnswers {
    fn forget(&mut self, number: u64) {
        if let Some(text) = self.texts.remove(&number) {
            self.bytes -= text.bytes.len();
        }
    }
}

impl PendingAnswer {
    /// Returns the next piece; `None` at the end.
    pub(crate) fn take(&mut self) -> Option<Result<Bytes, AnswerDropped>> {
        if self.left == 0 {
            return None;
        }
        let mut waiting = lock(&self.budget.waiting);
        let Some(mut text) = waiting.texts.remove(&self.number) else {
            self.left = 0;
            return Some(Err(AnswerDropped));
        };
        let left = &text.bytes[text.taken..];
        // A copy, because a slice would keep the whole answer in memory.
        let piece = Bytes::copy_from_slice(&left[..left.len().min(PIECE)]);
        text.taken += piece.len();
        self.left -= piece.len();
        if self.left == 0 {
            waiting.bytes -= text.bytes.len();
        } else {
            waiting.last += 1;
            self.number = waiting.last;
            waiting.texts.insert(self.number, text);
        }
        Some(Ok(piece))
    }
}

impl Drop for PendingAnswer {
    fn drop(&mut self) {
        lock(&self.budget.waiting).forget(self.number);
    }
}

impl hyper::body::Body for PendingAnswer {
    type Data = Bytes;
    type Error = AnswerDropped;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerDropped>>> {
        Poll::Ready(self.get_mut().take().map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{AnswerBudget, MAX_WAITING_BYTES, PIECE, PendingAnswer};

    fn large(budget: &AnswerBudget) -> PendingAnswer {
        budget.keep(vec![0; MAX_WAITING_BYTES / 5 * 2])
    }

    fn bytes_left(mut pending: PendingAnswer) -> Option<usize> {
        std::iter::from_fn(|| pending.take())
            .map(|piece| piece.map(|piece| piece.len()))
            .sum::<Result<_, _>>()
            .ok()
    }

    #[test]
    fn the_answer_unread_for_longest_is_dropped_first() {
        let budget = AnswerBudget::default();
        let mut slow = large(&budget);
        let stopped = large(&budget);
        assert_eq!(slow.take().unwrap().unwrap().len(), PIECE);
        let last = large(&budget);
        assert_eq!(bytes_left(stopped), None);
        assert_eq!(bytes_left(slow), Some(MAX_WAITING_BYTES / 5 * 2 - PIECE));
        assert_eq!(bytes_left(last), Some(MAX_WAITING_BYTES / 5 * 2));
    }

    #[test]
    fn a_client_that_has_its_answer_holds_no_budget() {
        let budget = AnswerBudget::default();
        let first = large(&budget);
        assert!(bytes_left(large(&budget)).is_some());
        let mut gone = large(&budget);
        assert!(gone.take().is_some());
        drop(gone);
        assert!(bytes_left(large(&budget)).is_some());
        assert_eq!(
            bytes_left(first),
            Some(MAX_WAITING_BYTES / 5 * 2),
            "two answers fit all the time"
        );
    }
}

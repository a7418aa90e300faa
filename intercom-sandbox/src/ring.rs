//! Requests in the order they came, bounded in number and in bytes: the oldest leave.

use std::collections::VecDeque;

use crate::request::ReceivedRequest;

/// How much a ring holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) requests: usize,
    pub(crate) bytes: usize,
}

#[derive(Default)]
pub(crate) struct Ring {
    requests: VecDeque<ReceivedRequest>,
    bytes: usize,
}

impl Ring {
    /// Takes a request in, and gives the oldest one where that has to leave, for the caller to drop
    /// where it holds nobody up. Where a large request makes many leave, they end here.
    pub(crate) fn push(&mut self, request: ReceivedRequest, room: Room) -> Option<ReceivedRequest> {
        self.bytes += request.size();
        self.requests.push_back(request);
        let mut oldest = None;
        while self.requests.len() > room.requests || self.bytes > room.bytes {
            let Some(leaving) = self.requests.pop_front() else { break };
            self.bytes -= leaving.size();
            oldest.get_or_insert(leaving);
        }
        oldest
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ReceivedRequest> {
        self.requests.iter()
    }

    /// Those of a higher number than this.
    pub(crate) fn after(&self, number: usize) -> impl Iterator<Item = &ReceivedRequest> {
        let from = self.requests.partition_point(|request| request.number() <= number);
        self.requests.range(from..)
    }
}

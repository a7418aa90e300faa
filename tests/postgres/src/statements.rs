//! Reads which statements a client runs, out of what it sends.

use std::collections::HashMap;

/// The statements of a connection, for a proxy that acts on some of them.
///
/// A client that prepares a statement sends its words once, and later its name alone.
#[derive(Default)]
pub struct Statements {
    /// What has come of a message that is not complete.
    unread: Vec<u8>,
    has_begun: bool,
    /// The words of each prepared statement, by its name.
    prepared: HashMap<String, String>,
}

impl Statements {
    /// Returns the words of the statements that these further bytes run.
    ///
    /// The bytes must not be encrypted.
    pub fn run_by(&mut self, bytes: &[u8]) -> Vec<String> {
        self.unread.extend_from_slice(bytes);
        let mut run = Vec::new();
        while let Some(message) = self.next_message() {
            if !self.has_begun {
                // A request to encrypt has eight bytes, and the first message follows it.
                self.has_begun = message.len() != 8;
                continue;
            }
            let mut texts = message[5..].split(|byte| *byte == 0).map(String::from_utf8_lossy);
            let mut text = || texts.next().unwrap_or_default().into_owned();
            match message[0] {
                // Parse: a name and the words.
                b'P' => {
                    self.prepared.insert(text(), text());
                }
                // Bind: a portal and the name of a statement.
                b'B' => {
                    let (_, name) = (text(), text());
                    run.extend(self.prepared.get(&name).cloned());
                }
                // A query without parameters.
                b'Q' => run.push(text()),
                _ => {}
            }
        }
        run
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        // The first message has no letter for its kind.
        let start = usize::from(self.has_begun);
        let length = self.unread.get(start..start + 4)?;
        let end = start + u32::from_be_bytes(length.try_into().ok()?) as usize;
        (self.unread.len() >= end).then(|| self.unread.drain(..end).collect())
    }
}

/// Returns whether the statement with these words accepts a batch of an outbox.
pub fn accepts(words: &str) -> bool {
    words.contains(".accept_once(") || words.contains(".batches")
}

#[cfg(test)]
mod tests {
    use super::Statements;

    fn message(kind: &str, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).unwrap();
        [kind.as_bytes(), &length.to_be_bytes(), content].concat()
    }

    #[test]
    fn a_prepared_statement_is_run_by_its_name() {
        let sent = [
            message("", &[0; 4]),
            message("", b"\0\x03\0\0user\0postgres\0\0"),
            message("P", b"s0\0SELECT 1\0\0\0"),
            message("B", b"\0s0\0\0\0\0\0\0\0"),
            message("Q", b"COMMIT\0"),
            message("B", b"\0s0\0\0\0\0\0\0\0"),
        ]
        .concat();
        let wanted = ["SELECT 1", "COMMIT", "SELECT 1"];
        assert_eq!(Statements::default().run_by(&sent), wanted);
        let mut statements = Statements::default();
        let run: Vec<_> = sent.iter().flat_map(|byte| statements.run_by(&[*byte])).collect();
        assert_eq!(run, wanted);
    }
}

//! Records: the rows of CSV, or the lines of NDJSON, each with its line number. Memory is bounded
//! for any file.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter};

/// The limit of bytes in a row.
pub(super) const MAX_ROW: usize = 64 << 10;

/// The limit of columns in a row.
pub(super) const MAX_COLUMNS: usize = 100;

/// The size of one read: several of the longest rows.
const WINDOW: usize = 4 * MAX_ROW;

/// The form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFormat {
    Csv { delimiter: u8 },
    Ndjson,
}

/// Why a record is unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordError {
    /// It has more than 64 KiB.
    TooLong,
    /// It has more than 100 columns.
    TooManyColumns,
    /// A quote is not closed before the end of the file.
    OpenQuote,
    /// It has bytes outside the file's encoding.
    Encoding,
}

/// One record.
pub(super) struct Record<'a> {
    /// The number of its first line, from 1.
    pub(super) line: u64,
    /// The bytes of the record in the file, without its line break.
    pub(super) raw: &'a [u8],
    pub(super) content: Result<Content<'a>, RecordError>,
}

/// The content of a record.
#[derive(Clone, Copy)]
pub(super) enum Content<'a> {
    Cells(Cells<'a>),
    Json(&'a str),
}

/// The cells of a row, unquoted.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    pub(super) fn len(self) -> usize {
        self.ends.len()
    }

    /// Returns a cell, or empty text if there is none.
    pub(super) fn get(self, index: usize) -> &'a str {
        let start = match index {
            0 => 0,
            index => self.ends.get(index - 1).copied().unwrap_or(self.text.len()),
        };
        let end = self.ends.get(index).copied().unwrap_or(start);
        // In invalid UTF-8, a quoted cell may end within a character. The check of the whole row
        // reports that.
        self.text.get(start..end).unwrap_or_default()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a str> {
        (0..self.len()).map(move |index| self.get(index))
    }
}

/// Reads records, one after another.
pub(super) struct Records {
    source: Box<dyn Read + Send>,
    window: Vec<u8>,
    start: usize,
    end: usize,
    is_at_end: bool,
    line: u64,
    format: FileFormat,
    csv: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// A record at the beginning of the window.
struct Extent {
    /// Its size in bytes, with its line break and the bytes to skip before it.
    taken: usize,
    text: usize,
    ends: usize,
    error: Option<RecordError>,
}

impl Records {
    pub(super) fn new(source: Box<dyn Read + Send>, format: FileFormat) -> Self {
        let delimiter = match format {
            FileFormat::Csv { delimiter } => delimiter,
            FileFormat::Ndjson => b',',
        };
        Records {
            source,
            window: vec![0; WINDOW],
            start: 0,
            end: 0,
            is_at_end: false,
            line: 1,
            format,
            csv: ReaderBuilder::new().delimiter(delimiter).build(),
            text: vec![0; MAX_ROW],
            ends: vec![0; MAX_COLUMNS + 1],
        }
    }

    /// Reads the next record; `None` at the end. Skips blank lines.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        self.skip_line_breaks()?;
        let found = loop {
            if self.start == self.end && self.is_at_end {
                return Ok(None);
            }
            let found = match self.format {
                FileFormat::Csv { .. } => self.find_row(),
                FileFormat::Ndjson => self.find_line(),
            };
            match found {
                Some(found) => break found,
                // The window has no complete record, and fewer bytes than a record may have.
                None => self.fill()?,
            }
        };
        let line = self.line;
        let place = self.start..self.start + found.taken;
        self.line += memchr_iter(b'\n', &self.window[place.clone()]).count() as u64;
        self.start = place.end;
        if found.error == Some(RecordError::TooLong) {
            self.skip_rest_of_line()?;
            return Ok(Some(Record { line, raw: b"", content: Err(RecordError::TooLong) }));
        }
        let raw = without_line_break(&self.window[place]);
        let (text, ends) = match self.format {
            FileFormat::Csv { .. } => (&self.text[..found.text], &self.ends[..found.ends]),
            FileFormat::Ndjson => (raw, &[][..]),
        };
        let content = match (found.error, str::from_utf8(text), self.format) {
            (Some(error), ..) => Err(error),
            (None, Err(_), _) => Err(RecordError::Encoding),
            (None, Ok(text), FileFormat::Csv { .. }) => Ok(Content::Cells(Cells { text, ends })),
            (None, Ok(text), FileFormat::Ndjson) => Ok(Content::Json(text)),
        };
        Ok(Some(Record { line, raw, content }))
    }

    /// Finds a row at the beginning of the window; `None` if the window needs more bytes.
    fn find_row(&mut self) -> Option<Extent> {
        let window = &self.window[self.start..self.end];
        let limited = &window[..window.len().min(MAX_ROW)];
        self.csv.reset();
        let (mut result, taken, text, ends) =
            self.csv.read_record(limited, &mut self.text, &mut self.ends);
        let mut found = Extent { taken, text, ends, error: None };
        let is_last = self.is_at_end && limited.len() == window.len();
        if matches!(result, ReadRecordResult::InputEmpty) && is_last {
            if is_quote_open(limited, self.delimiter()) {
                return Some(self.only_line(limited.len(), RecordError::OpenQuote));
            }
            let (ended, _, more, more_ends) =
                self.csv.read_record(&[], &mut self.text[text..], &mut self.ends[ends..]);
            result = ended;
            found.text += more;
            found.ends += more_ends;
        }
        let error = match result {
            ReadRecordResult::Record | ReadRecordResult::End if found.ends <= MAX_COLUMNS => {
                return Some(found);
            }
            ReadRecordResult::Record | ReadRecordResult::End | ReadRecordResult::OutputEndsFull => {
                RecordError::TooManyColumns
            }
            ReadRecordResult::InputEmpty if limited.len() < MAX_ROW => return None,
            ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull => RecordError::TooLong,
        };
        Some(self.only_line(limited.len(), error))
    }

    /// Takes one line of an unreadable row, so that a stray quote loses only its own line.
    fn only_line(&self, limit: usize, error: RecordError) -> Extent {
        let limited = &self.window[self.start..self.start + limit];
        match memchr(b'\n', limited) {
            Some(end) => Extent { taken: end + 1, text: 0, ends: 0, error: Some(error) },
            None if limit < MAX_ROW => {
                Extent { taken: limit, text: 0, ends: 0, error: Some(error) }
            }
            None => Extent { taken: limit, text: 0, ends: 0, error: Some(RecordError::TooLong) },
        }
    }

    fn find_line(&self) -> Option<Extent> {
        let window = &self.window[self.start..self.end];
        let limited = &window[..window.len().min(MAX_ROW)];
        let found = |taken, error| Some(Extent { taken, text: 0, ends: 0, error });
        match memchr(b'\n', limited) {
            Some(end) => found(end + 1, None),
            None if limited.len() == MAX_ROW => found(limited.len(), Some(RecordError::TooLong)),
            None if self.is_at_end => found(limited.len(), None),
            None => None,
        }
    }

    fn delimiter(&self) -> u8 {
        match self.format {
            FileFormat::Csv { delimiter } => delimiter,
            FileFormat::Ndjson => b',',
        }
    }

    /// Moves the unread bytes to the front, and reads more.
    fn fill(&mut self) -> io::Result<()> {
        self.window.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // Reads several times, because a decoder returns few bytes at a time, and each search for a
        // record starts at its beginning.
        while self.end < self.window.len() {
            match self.source.read(&mut self.window[self.end..])? {
                0 => {
                    self.is_at_end = true;
                    return Ok(());
                }
                read => self.end += read,
            }
        }
        Ok(())
    }

    fn skip_line_breaks(&mut self) -> io::Result<()> {
        loop {
            let window = &self.window[self.start..self.end];
            let breaks = window.iter().take_while(|&&byte| matches!(byte, b'\n' | b'\r')).count();
            self.line += memchr_iter(b'\n', &window[..breaks]).count() as u64;
            self.start += breaks;
            if self.start < self.end || self.is_at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn skip_rest_of_line(&mut self) -> io::Result<()> {
        if self.start > 0 && self.window[self.start - 1] == b'\n' {
            return Ok(());
        }
        loop {
            if let Some(end) = memchr(b'\n', &self.window[self.start..self.end]) {
                self.start += end + 1;
                self.line += 1;
                return Ok(());
            }
            self.start = self.end;
            if self.is_at_end {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

fn without_line_break(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Returns whether the text ends within a quoted cell.
fn is_quote_open(text: &[u8], delimiter: u8) -> bool {
    enum QuoteState {
        CellStart,
        Cell,
        Quoted,
        /// After a quote in a quoted cell: the cell has ended, or a second quote follows.
        Quote,
    }

    let mut state = QuoteState::CellStart;
    for &byte in text {
        state = match (state, byte) {
            (QuoteState::Quoted, b'"') => QuoteState::Quote,
            (QuoteState::Quoted, _) | (QuoteState::CellStart | QuoteState::Quote, b'"') => {
                QuoteState::Quoted
            }
            (_, byte) if byte == delimiter || byte == b'\n' || byte == b'\r' => {
                QuoteState::CellStart
            }
            _ => QuoteState::Cell,
        };
    }
    matches!(state, QuoteState::Quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row = (u64, Result<Vec<String>, RecordError>);

    fn rows_of(text: impl Into<Vec<u8>>, format: FileFormat) -> Vec<Row> {
        let mut records = Records::new(Box::new(io::Cursor::new(text.into())), format);
        let mut rows = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let cells = record.content.map(|content| match content {
                Content::Cells(cells) => cells.iter().map(str::to_owned).collect(),
                Content::Json(json) => vec![json.to_owned()],
            });
            rows.push((record.line, cells));
        }
        rows
    }

    fn rows(text: impl Into<Vec<u8>>) -> Vec<Row> {
        rows_of(text, FileFormat::Csv { delimiter: b',' })
    }

    fn cells(line: u64, cells: &[&str]) -> Row {
        (line, Ok(cells.iter().map(|&cell| cell.to_owned()).collect()))
    }

    #[test]
    fn rows_are_told_apart() {
        for text in ["a,b\n\n1,\"x\ny \"\"z\"\"\"\n2,\n", "a,b\r\n\r\n1,\"x\ny \"\"z\"\"\"\r\n2,"] {
            assert_eq!(
                rows(text),
                [cells(1, &["a", "b"]), cells(3, &["1", "x\ny \"z\""]), cells(5, &["2", ""])],
                "{text:?}"
            );
        }
        assert_eq!(rows(""), []);
        assert_eq!(rows("\n\r\n"), []);
        assert_eq!(rows_of("{}\n\n[]", FileFormat::Ndjson), [cells(1, &["{}"]), cells(3, &["[]"])]);
    }

    #[test]
    fn a_stray_quote_costs_its_own_line() {
        assert_eq!(
            rows("a,b\n1,\"x\n2,y\n3,z"),
            [
                cells(1, &["a", "b"]),
                (2, Err(RecordError::OpenQuote)),
                cells(3, &["2", "y"]),
                cells(4, &["3", "z"])
            ]
        );
        assert_eq!(rows("a,5\" pipe\n1,x"), [cells(1, &["a", "5\" pipe"]), cells(2, &["1", "x"])]);
        let mut long = "a,b\n1,\"x\n".to_owned();
        long.extend((0..MAX_ROW).map(|_| "2,y\n"));
        let rows = rows(long);
        assert_eq!((rows.len(), &rows[1]), (MAX_ROW + 2, &(2, Err(RecordError::TooLong))));
        assert_eq!(rows.last(), Some(&cells(MAX_ROW as u64 + 2, &["2", "y"])));
    }

    #[test]
    fn a_row_that_is_too_large_is_no_more_than_a_broken_row() {
        let long = format!("a\n{}\nb\n", "x".repeat(3 * WINDOW));
        for format in [FileFormat::Csv { delimiter: b',' }, FileFormat::Ndjson] {
            assert_eq!(
                rows_of(long.clone(), format),
                [cells(1, &["a"]), (2, Err(RecordError::TooLong)), cells(3, &["b"])]
            );
        }
        let fits = "x".repeat(MAX_ROW - 1);
        assert_eq!(rows(format!("{fits}\nb")), [cells(1, &[&fits]), cells(2, &["b"])]);
        let wide = ",".repeat(MAX_COLUMNS - 1);
        assert_eq!(
            rows(format!("{wide}\n,{wide}\nb"))
                .iter()
                .map(|(_, row)| row.as_ref().map(Vec::len))
                .collect::<Vec<_>>(),
            [Ok(100), Err(&RecordError::TooManyColumns), Ok(1)]
        );
    }

    #[test]
    fn a_row_that_is_not_utf_8_is_broken() {
        assert_eq!(rows(b"a\nM\xFCller\nb".to_vec())[1], (2, Err(RecordError::Encoding)));
    }

    #[test]
    fn records_are_the_same_however_the_file_is_read() {
        struct Drip(io::Cursor<Vec<u8>>);
        impl Read for Drip {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(7);
                self.0.read(&mut buffer[..length])
            }
        }
        let text: String = (0..30_000).map(|n| format!("{n},\"a \"\"b\"\"\n{n}\",c\r\n")).collect();
        let whole = rows(text.clone());
        let mut records = Records::new(
            Box::new(Drip(io::Cursor::new(text.into_bytes()))),
            FileFormat::Csv { delimiter: b',' },
        );
        let mut count = 0;
        while let Some(record) = records.next().unwrap() {
            let Ok(Content::Cells(cells)) = record.content else { panic!("line {}", record.line) };
            assert_eq!(
                (record.line, cells.iter().map(str::to_owned).collect::<Vec<_>>()),
                (whole[count].0, whole[count].1.clone().unwrap())
            );
            count += 1;
        }
        assert_eq!(count, whole.len());
    }
}

//! The file of rejected rows, in the dialect of the imported file, so that the import reads it too.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::headers::REJECTED;
use super::records::{FileFormat, Record};
use super::rejection::Rejection;
use crate::body::Members;
use crate::failure::Failure;

/// The columns that precede a rejected row's own.
const COLUMNS: [&str; 4] = ["line", "column", "rule", "fix"];

/// Writes rejected rows. The first row creates the file.
pub(super) struct Rejects {
    path: PathBuf,
    /// The temporary file, which `finish` renames.
    part: PathBuf,
    format: FileFormat,
    header: Vec<u8>,
    /// The number of columns that an earlier rejection added at the beginning of each row.
    old_columns: usize,
    file: Option<BufWriter<File>>,
}

impl Rejects {
    /// Prepares a file of rows rejected from `input`, whose header has these columns.
    pub(super) fn new(
        input: &Path,
        named: Option<&Path>,
        format: FileFormat,
        header: &[String],
    ) -> Self {
        let path = named.map_or_else(|| beside(input), Path::to_owned);
        let mut part = path.clone().into_os_string();
        part.push(".part");
        let is_old = |name: &&String| name.to_lowercase().starts_with(REJECTED);
        let old_columns = header.iter().take_while(is_old).count();
        let mut line = Vec::new();
        if let FileFormat::Csv { delimiter } = format {
            let names = COLUMNS.iter().map(|name| format!("{REJECTED}{name}"));
            let names = names.chain(header[old_columns..].iter().cloned());
            let cells: Vec<_> = names.map(|name| quoted(&name, delimiter)).collect();
            line = cells.join(&*vec![delimiter]);
        }
        Rejects { path, part: part.into(), format, header: line, old_columns, file: None }
    }

    /// Writes a row and the reason of its rejection.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub(super) fn write(
        &mut self,
        record: &Record<'_>,
        rejection: &Rejection,
    ) -> Result<(), Failure> {
        let line = self.line(record, rejection);
        let mut write = || -> io::Result<()> {
            if self.file.is_none() {
                let mut file = BufWriter::new(File::create(&self.part)?);
                if let FileFormat::Csv { .. } = self.format {
                    file.write_all(&self.header)?;
                    file.write_all(b"\n")?;
                }
                self.file = Some(file);
            }
            match &mut self.file {
                Some(file) => file.write_all(&line),
                None => Ok(()),
            }
        };
        write().map_err(|error| self.failed(&error))
    }

    fn line(&self, record: &Record<'_>, rejection: &Rejection) -> Vec<u8> {
        let (line, column) =
            (record.line.to_string(), rejection.column.as_deref().unwrap_or_default());
        let added = [&*line, column, rejection.rule.as_str(), &*rejection.fix];
        let mut written = Vec::with_capacity(record.raw.len() + 128);
        match self.format {
            FileFormat::Csv { delimiter } => {
                for cell in added {
                    written.extend(quoted(cell, delimiter));
                    written.push(delimiter);
                }
                written.extend(without_cells(record.raw, self.old_columns, delimiter));
            }
            FileFormat::Ndjson => {
                written.push(b'{');
                for (index, (name, value)) in COLUMNS.iter().zip(added).enumerate() {
                    if index > 0 {
                        written.push(b',');
                    }
                    written.extend(format!("\"{REJECTED}{name}\":").bytes());
                    written.extend(serde_json::Value::from(value).to_string().bytes());
                }
                let rest = match serde_json::from_slice::<Members>(record.raw) {
                    Ok(object) => rest_of(&object),
                    Err(_) => {
                        let text = String::from_utf8_lossy(record.raw);
                        format!(",\"{REJECTED}text\":{}", serde_json::Value::from(&*text))
                    }
                };
                written.extend(rest.bytes());
                written.push(b'}');
            }
        }
        written.push(b'\n');
        written
    }

    /// Renames the file to its final name, which it returns; `None` without a rejected row.
    ///
    /// A person may be correcting an existing file. So the new file replaces only a file whose
    /// content it begins with. Otherwise it gets the next free name.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be written.
    pub(super) fn finish(mut self) -> Result<Option<PathBuf>, Failure> {
        let Some(mut file) = self.file.take() else { return Ok(None) };
        let mut place = || -> io::Result<PathBuf> {
            file.flush()?;
            file.get_ref().sync_all()?;
            for number in 1.. {
                let path = numbered(&self.path, number);
                if !path.exists() || begins_with(&self.part, &path)? {
                    fs::rename(&self.part, &path)?;
                    return Ok(path);
                }
            }
            Ok(self.path.clone())
        };
        place().map(Some).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::file(format!("cannot write the rejected rows to {}", self.path.display()), error)
    }
}

/// Returns the name of the file of rows rejected from `input`: `events.rejected.csv` beside
/// `events.csv`.
fn beside(input: &Path) -> PathBuf {
    let stem =
        input.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = input.extension().map(|extension| extension.to_string_lossy().into_owned());
    let stem = stem.strip_suffix(".rejected").map_or(stem.clone(), |stem| format!("{stem}.again"));
    input.with_file_name(format!("{stem}.rejected.{}", extension.as_deref().unwrap_or("csv")))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number}{}", extension.unwrap_or_default()))
}

/// Returns whether one file begins with all of another.
fn begins_with(file: &Path, start: &Path) -> io::Result<bool> {
    let (mut file, mut start) = (File::open(file)?, File::open(start)?);
    let (mut one, mut other) = ([0; 8192], [0; 8192]);
    loop {
        let length = start.read(&mut other)?;
        if length == 0 {
            return Ok(true);
        }
        if file.read_exact(&mut one[..length]).is_err() || one[..length] != other[..length] {
            return Ok(false);
        }
    }
}

fn quoted(cell: &str, delimiter: u8) -> Vec<u8> {
    let is_plain = |byte: u8| byte != delimiter && !matches!(byte, b'"' | b'\n' | b'\r');
    match cell.bytes().all(is_plain) {
        true => cell.as_bytes().to_vec(),
        false => format!("\"{}\"", cell.replace('"', "\"\"")).into_bytes(),
    }
}

/// Returns a row without its first cells.
fn without_cells(row: &[u8], cells: usize, delimiter: u8) -> &[u8] {
    let (mut is_quoted, mut left) = (false, cells);
    let mut bytes = row.iter().enumerate();
    while left > 0 {
        match bytes.next() {
            None => return b"",
            Some((_, b'"')) => is_quoted = !is_quoted,
            Some((index, &byte)) if byte == delimiter && !is_quoted => {
                left -= 1;
                if left == 0 {
                    return &row[index + 1..];
                }
            }
            Some(_) => {}
        }
    }
    row
}

/// Returns the members of an object that no earlier rejection added, each with a comma before it.
fn rest_of(object: &Members) -> String {
    let kept = object.0.iter().filter(|(name, _)| !name.to_lowercase().starts_with(REJECTED));
    kept.map(|(name, json)| format!(",{}:{}", serde_json::Value::from(name.as_str()), json.get()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_beside_the_input() {
        for (input, expected) in [
            ("a/events.csv", "a/events.rejected.csv"),
            ("events", "events.rejected.csv"),
            ("events.rejected.ndjson", "events.again.rejected.ndjson"),
        ] {
            assert_eq!(beside(Path::new(input)), Path::new(expected));
        }
        assert_eq!(
            numbered(Path::new("a/events.rejected.csv"), 2),
            Path::new("a/events.rejected-2.csv")
        );
    }

    #[test]
    fn columns_of_an_earlier_rejection_are_left_out() {
        assert_eq!(without_cells(b"1,\"a,\"\"b\",c,d", 2, b','), b"c,d");
        assert_eq!(without_cells(b"1,2", 0, b','), b"1,2");
        assert_eq!(without_cells(b"1", 2, b','), b"");
    }
}

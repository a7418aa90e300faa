//! Finds whether a file is CSV or NDJSON, and its delimiter. Refuses a file that fits two
//! delimiters.

use crate::failure::Failure;

use super::headers::Role;
use super::records::{Content, FileFormat, Records};
use super::source::SourceFile;

/// The delimiters to try.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The number of rows to try them on.
const SAMPLE_ROWS: usize = 200;

/// Finds the format of a file.
///
/// # Errors
///
/// Fails when the file cannot be read, and when it fits two delimiters.
pub(super) fn find(source: &SourceFile, forced: Option<FileFormat>) -> Result<FileFormat, Failure> {
    if let Some(format) = forced {
        return Ok(format);
    }
    let path = source.path.display();
    let failed = |error| Failure::file(format!("cannot read {path}"), &error);
    let mut lines = Records::new(source.open()?, FileFormat::Ndjson);
    let first = lines.next().map_err(failed)?;
    if let Some(Ok(Content::Json(line))) = first.map(|record| record.content)
        && line.trim_start().starts_with('{')
    {
        return Ok(FileFormat::Ndjson);
    }
    let mut fitting = Vec::new();
    for delimiter in DELIMITERS {
        let shape = Shape::of(source, delimiter)?;
        if shape.columns > 1 {
            fitting.push(shape);
        }
    }
    // A delimiter is correct if it gives the header a contact or a time.
    let roles = fitting.iter().map(|shape| shape.roles).max().unwrap_or_default();
    fitting.retain(|shape| shape.roles == roles);
    let even = fitting.iter().map(|shape| shape.even).max().unwrap_or_default();
    fitting.retain(|shape| shape.even == even);
    match &*fitting {
        [] => Ok(FileFormat::Csv { delimiter: b',' }),
        [shape] => Ok(FileFormat::Csv { delimiter: shape.delimiter }),
        [one, other, ..] => Err(Failure::usage(format!(
            "{path}: the delimiter is ambiguous: by {} the header is {}, \
             by {} it is {}; choose with --delimiter",
            name(one.delimiter),
            one.shown(),
            name(other.delimiter),
            other.shown()
        ))),
    }
}

/// The columns of a file under one delimiter.
struct Shape {
    delimiter: u8,
    header: Vec<String>,
    columns: usize,
    /// The number of columns with a role.
    roles: usize,
    /// The number of rows with as many columns as the header.
    even: usize,
}

impl Shape {
    fn of(source: &SourceFile, delimiter: u8) -> Result<Self, Failure> {
        let failed =
            |error| Failure::file(format!("cannot read {}", source.path.display()), &error);
        let mut records = Records::new(source.open()?, FileFormat::Csv { delimiter });
        let mut shape = Shape { delimiter, header: Vec::new(), columns: 0, roles: 0, even: 0 };
        for row in 0..SAMPLE_ROWS {
            let Some(record) = records.next().map_err(failed)? else { break };
            let Ok(Content::Cells(cells)) = record.content else { continue };
            if row == 0 {
                shape.header = cells.iter().map(str::to_owned).collect();
                shape.columns = cells.len();
                shape.roles = cells.iter().filter(|name| Role::of(name).is_some()).count();
            } else {
                shape.even += usize::from(cells.len() == shape.columns);
            }
        }
        Ok(shape)
    }

    fn shown(&self) -> String {
        let names: Vec<_> =
            self.header.iter().take(4).map(|name| format!("`{}`", name.escape_debug())).collect();
        names.join(", ")
    }
}

/// Returns the name of a delimiter.
pub(super) fn name(delimiter: u8) -> String {
    match delimiter {
        b',' => "comma".to_owned(),
        b';' => "semicolon".to_owned(),
        b'\t' => "tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

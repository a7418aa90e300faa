//! CSV or NDJSON, and by which delimiter: told by the file, and refused where two would do.

use crate::failure::Failure;

use super::headers::Role;
use super::records::{Content, Format, Records};
use super::source::Source;

/// The delimiters that are tried.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How many rows tell the delimiter.
const ROWS: usize = 200;

/// Tells how the records of a file are told apart.
///
/// # Errors
///
/// Fails when the file cannot be read, and when two delimiters would do.
pub(super) fn find(source: &Source, forced: Option<Format>) -> Result<Format, Failure> {
    if let Some(format) = forced {
        return Ok(format);
    }
    let path = source.path.display();
    let failed = |error| Failure::file(format!("cannot read {path}"), &error);
    let mut lines = Records::new(source.open()?, Format::Ndjson);
    let first = lines.next().map_err(failed)?;
    if let Some(Ok(Content::Json(line))) = first.map(|record| record.content)
        && line.trim_start().starts_with('{')
    {
        return Ok(Format::Ndjson);
    }
    let mut fitting = Vec::new();
    for delimiter in DELIMITERS {
        let shape = Shape::of(source, delimiter)?;
        if shape.columns > 1 {
            fitting.push(shape);
        }
    }
    // A header that names a contact or a time is no accident.
    let roles = fitting.iter().map(|shape| shape.roles).max().unwrap_or_default();
    fitting.retain(|shape| shape.roles == roles);
    let even = fitting.iter().map(|shape| shape.even).max().unwrap_or_default();
    fitting.retain(|shape| shape.even == even);
    match &*fitting {
        [] => Ok(Format::Csv { delimiter: b',' }),
        [shape] => Ok(Format::Csv { delimiter: shape.delimiter }),
        [one, other, ..] => Err(Failure::usage(format!(
            "{path}: the delimiter is ambiguous: by {} the header is {}, by {} it is {}; choose with --delimiter",
            name(one.delimiter),
            one.shown(),
            name(other.delimiter),
            other.shown()
        ))),
    }
}

/// What a file looks like by a delimiter.
struct Shape {
    delimiter: u8,
    header: Vec<String>,
    columns: usize,
    /// How many columns have the name of an event's part.
    roles: usize,
    /// How many rows have as many columns as the header.
    even: usize,
}

impl Shape {
    fn of(source: &Source, delimiter: u8) -> Result<Self, Failure> {
        let failed =
            |error| Failure::file(format!("cannot read {}", source.path.display()), &error);
        let mut records = Records::new(source.open()?, Format::Csv { delimiter });
        let mut shape = Shape { delimiter, header: Vec::new(), columns: 0, roles: 0, even: 0 };
        for row in 0..ROWS {
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

/// Returns what a delimiter is called.
pub(super) fn name(delimiter: u8) -> String {
    match delimiter {
        b',' => "comma".to_owned(),
        b';' => "semicolon".to_owned(),
        b'\t' => "tab".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

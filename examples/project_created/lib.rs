//! One program, in a package of its own so that it builds quickly: `project_created.rs` beside this file.

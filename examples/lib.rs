//! Programs to read and to run: each file beside this one opens with the line that runs it.

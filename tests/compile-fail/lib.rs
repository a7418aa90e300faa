//! Misuse that must not compile: the cases stand in `cases`, one a file.

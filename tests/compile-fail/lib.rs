//! Misuse that must not compile: the cases are in `cases`, one a file.

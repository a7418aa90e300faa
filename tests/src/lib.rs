//! Nothing here but the programs of the README, which compile and run as tests. The tests of this crate
//! stand in its `tests` folder.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

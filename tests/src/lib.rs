//! Nothing here: the tests of this crate stand in its `tests` folder.

//! What every command is given.

use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::settings::Settings;

/// Where to print, what is configured, and when to end.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) settings: Settings,
    pub(crate) interrupt: Interrupt,
}

//! The context of every command.

use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::settings::Settings;

/// The output, the configuration, and the signal to end.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) settings: Settings,
    pub(crate) interrupt: Interrupt,
}

//! The federation's state machine.

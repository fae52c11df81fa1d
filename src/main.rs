//! Floor 3, the binary: arguments, configuration, logger, then the server or one request to it. The exit
//! code is decided here alone: 0 for a clean end, 1 for a failure at run, 2 for bad usage or configuration.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().skip(1))
}

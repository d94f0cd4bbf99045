//! The hub's binary.

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: godwit_hub::Allocator = godwit_hub::Allocator;

fn main() -> std::process::ExitCode {
    godwit_hub::main_with_args(std::env::args_os())
}

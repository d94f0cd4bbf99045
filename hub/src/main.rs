//! The hub's binary.

/// It gives back what a storm of agents has taken, and its threads do not wait for each other, as they do in musl's own
/// allocator, with which the image would be linked otherwise.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    godwit_hub::main_with_args(std::env::args_os())
}

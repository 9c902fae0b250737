//! The executable. Everything is in the library, so that tests can run it in their own process.

fn main() -> std::process::ExitCode {
    daybook::main()
}

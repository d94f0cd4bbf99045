//! Tests of the repository itself, for what neither compiler nor clippy checks: the size of files, leftovers, the walls
//! between packages, the truth of documents, and the gate.
//!
//! Each module holds one group of checks. A check is a function from a `Repository` to findings; it is
//! tried on a small repository in memory that has the fault, and then holds the real one to it.

#[cfg(test)]
mod citations;
#[cfg(test)]
mod finding;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod inheritance;
#[cfg(test)]
mod leftovers;
#[cfg(test)]
mod links;
#[cfg(test)]
mod lints;
#[cfg(test)]
mod manifest;
#[cfg(test)]
mod repository;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod sources;
#[cfg(test)]
mod walls;
#[cfg(test)]
mod words;

//! Tests of the machine as a whole, over a federation of scripted clusters that do at once what they are told.

mod bounds;
mod deploys;
mod fixture;
mod history;
mod losses;
mod mass_loss;
mod pace;
mod rebalance;
mod reflections;
mod rehearsals;
mod room;
mod stateful;
mod strategies;
mod streams;

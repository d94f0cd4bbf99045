//! Tests of the machine as a whole, over a federation of scripted clusters that do at once what they are told.

mod bonds;
mod bounds;
mod choosing;
mod deploys;
mod destinations;
mod drain_accidents;
mod drains;
mod fixture;
mod flapping;
mod foresight;
mod gates;
mod history;
mod losses;
mod maintenance;
mod mass_loss;
mod pace;
mod rebalance;
mod reflections;
mod rehearsals;
mod retiring;
mod returns;
mod room;
mod shortage;
mod stateful;
mod strategies;
mod streams;

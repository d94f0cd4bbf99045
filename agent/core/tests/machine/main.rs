//! Scripts over the agent's machine, one rule each, between a scripted hub and a member cluster in memory.

mod apply;
mod chaos;
mod custom;
mod drift;
mod fencing;
mod grants;
mod importing;
mod leadership;
mod linking;
mod needs;
mod recall;
mod removal;
mod reporting;
mod scaled;
mod summons;
mod world;

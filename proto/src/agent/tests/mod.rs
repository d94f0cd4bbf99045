mod refusals;
mod round_trip;
mod strategies;

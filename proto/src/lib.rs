//! Wire and stored formats of Godwit.

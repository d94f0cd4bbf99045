//! Vocabulary shared by hub and agent.

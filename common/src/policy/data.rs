//! What becomes of a workload's data when it moves, and what is in clusters before it does.

/// What becomes of the volumes of a workload when its cluster is lost or drained (S32). A move never deletes a claim:
/// what moves begins with new volumes where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Data {
    /// Its volumes hold what nobody else has: a workload with volume claims stays where they are.
    #[default]
    Keep,
    /// The application brings its data to where it goes.
    Replicated,
    /// Its data may be left behind.
    Disposable,
}

/// In which clusters a workload and what it leans on are ahead of need, with no copy to run (S33).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Prestage {
    /// In all that may run it: a failover only changes a number.
    #[default]
    Eligible,
    /// In none: only where copies are placed, or were.
    Placed,
}

impl Data {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Keep, Self::Replicated, Self::Disposable];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Replicated => "replicated",
            Self::Disposable => "disposable",
        }
    }
}

impl Prestage {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Eligible, Self::Placed];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Placed => "placed",
        }
    }
}

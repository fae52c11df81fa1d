//! What the disk has had to take and what had to be repaired on it, in figures; the edge knows them.

/// Bytes written to the disk, of which flash survives only so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Since midnight UTC.
    pub today: u64,
    /// Since the database was made.
    pub total: u64,
    /// `storage.write_budget`, per day; 0 for none.
    pub budget: u64,
}

/// Repairs of the database, step by step, each counted since the data directory was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Snapshots were removed that an interrupted start had not finished. Costs nothing.
    pub leftovers_removed: u64,
    /// All snapshots were dropped and made anew from the log. Costs nothing.
    pub snapshots_dropped: u64,
    /// The database was set aside.
    pub set_aside: u64,
    /// The last automatic export took its place.
    pub restored: u64,
    /// There was no export to take its place.
    pub started_empty: u64,
    /// Records that are damaged and left aside, each time one was met since this start.
    pub damaged_records: u64,
}

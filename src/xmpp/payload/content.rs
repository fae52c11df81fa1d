//! What a push says, whatever form it takes on its way.

/// What goes into the stanza.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// Identity of the notification.
    pub id: &'a str,
    /// A constant some clients compare.
    pub api_key: &'a str,
    /// One line.
    pub title: &'a str,
    /// The text.
    pub message: &'a str,
    /// What a tap opens, or empty.
    pub uri: &'a str,
    /// `yyyy-MM-dd HH:mm:ss`
    pub created: &'a str,
    /// Picture, or empty.
    pub image: &'a str,
    /// 1 (least) to 5, or `None` if it matters as much as most.
    pub priority: Option<u8>,
    /// Words shown with it.
    pub tags: &'a [String],
    /// Further links: what they say and what they open.
    pub actions: &'a [(&'a str, &'a str)],
    /// For the app, not for the person.
    pub is_silent: bool,
    /// Sequence id, or empty.
    pub sequence: &'a str,
    /// The earlier notification it takes back.
    pub withdraws: Option<&'a str>,
}

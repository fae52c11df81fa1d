//! The stage of `tests/conversations`, and the language of its scripts.

#[path = "../../conversations/runner/disk.rs"]
pub(crate) mod disk;
#[path = "../../conversations/runner/pattern.rs"]
pub(crate) mod pattern;
#[path = "../../conversations/runner/phone.rs"]
pub(crate) mod phone;
#[path = "../../conversations/runner/scram.rs"]
pub(crate) mod scram;
#[path = "../../conversations/runner/script.rs"]
pub(crate) mod script;
#[path = "../../conversations/runner/speech.rs"]
pub(crate) mod speech;
#[path = "../../conversations/runner/stage.rs"]
pub(crate) mod stage;
#[path = "../../conversations/runner/template.rs"]
pub(crate) mod template;
#[path = "../../conversations/runner/words.rs"]
pub(crate) mod words;
#[path = "../../conversations/runner/xml.rs"]
pub(crate) mod xml;

//! Tags of users, and who sets which: the administrator all of them, a phone its user's (androidpn's forks,
//! `settags`) but for those that open the phone book.

use super::commits::Waiter;
use super::domain::Domain;
use super::event::{AskId, Refusal};
use super::registration::refusal;
use crate::limits;
use crate::time::Now;
use crate::xmpp::host::AccountChange;

impl Domain {
    /// What becomes of the tags a phone wants for its user: shared ones stay as they are, whether it names them
    /// or not, and the others are replaced. Where this comes to more than [`limits::TAGS`], the phone's last ones
    /// are left out: androidpn's clients do not get over a refusal they cannot understand.
    pub(super) fn tags_by_phone(&self, user: &str, wanted: Vec<String>) -> Vec<String> {
        let account = self.accounts.get(user);
        let held = account.into_iter().flat_map(|(_, account)| &account.tags);
        let held = held.filter(|tag| self.is_shared(tag));
        let mut tags: Vec<String> = held.map(ToString::to_string).collect();
        tags.extend(wanted.into_iter().filter(|tag| !self.is_shared(tag)));
        tags.truncate(limits::TAGS);
        tags
    }

    /// Replaces a user's tags for the administrator.
    pub(super) fn set_tags(
        &mut self,
        name: &str,
        tags: &[String],
        ask: AskId,
        now: Now,
    ) -> Result<(), Refusal> {
        let user = self.known(name)?;
        let change = AccountChange {
            tags: Some(checked(tags)?),
            ..AccountChange::default()
        };
        self.change_account(&user, change, Waiter::Ask(ask), now)
            .map_err(refusal)
    }
}

/// Each tag once. A comma is what a phone puts between tags, so that none has one in it.
fn checked(tags: &[String]) -> Result<Vec<String>, Refusal> {
    let mut kept: Vec<String> = Vec::new();
    for tag in tags {
        let tag = tag.trim();
        if tag.len() > limits::LABEL {
            return Err(Refusal::TooLong {
                field: "tag",
                limit: limits::LABEL,
            });
        }
        let comma_or_control = |c: char| matches!(c, ',' | '，') || c.is_control();
        if tag.is_empty() || tag.contains(comma_or_control) {
            return Err(Refusal::Invalid {
                field: "tag",
                why: "has to be one line without a comma, and not empty",
            });
        }
        if kept.iter().any(|known| known == tag) {
            continue;
        }
        if kept.len() >= limits::TAGS {
            return Err(Refusal::Invalid {
                field: "tags",
                why: "are more than a user may have",
            });
        }
        kept.push(tag.to_owned());
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_administrator_may_set() {
        let owned = |tags: &[&str]| tags.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (tags, want) in [
            (&[][..], &[][..]),
            (&["office", " R&D ", "office"], &["office", "R&D"]),
        ] {
            assert_eq!(checked(&owned(tags)), Ok(owned(want)), "{tags:?}");
        }
        for wrong in ["", " ", "a,b", "a，b", "a\nb", "\u{1b}"] {
            let refused = checked(&owned(&["ok", wrong]));
            let invalid = matches!(refused, Err(Refusal::Invalid { field: "tag", .. }));
            assert!(invalid, "{wrong:?}: {refused:?}");
        }
        let longest = "t".repeat(limits::LABEL);
        assert_eq!(checked(&owned(&[&longest])), Ok(vec![longest.clone()]));
        let too_long = Refusal::TooLong {
            field: "tag",
            limit: limits::LABEL,
        };
        assert_eq!(checked(&[longest + "t"]), Err(too_long));
        let mut many: Vec<_> = (0..limits::TAGS).map(|n| n.to_string()).collect();
        many.push("0".into());
        assert_eq!(checked(&many).unwrap().len(), limits::TAGS);
        many.push("one more".into());
        let refused = checked(&many);
        assert!(matches!(
            refused,
            Err(Refusal::Invalid { field: "tags", .. })
        ));
    }
}

//! Conditions on tags, and whom a notification is for: what is taken means the same when it is read again.
#![no_main]

use lanpush::push::notification::Target;
use lanpush::push::tag_expression::TagExpression;
use lanpush::xmpp::jid;
use libfuzzer_sys::fuzz_target;

fn seeds() {
    lanpush_fuzz::seeds(|| {
        [
            "office & !night",
            "a & (b | !c) | \"R&D \\\" \\\\\"",
            "((((((a))))))",
            "!!!a",
            "*",
            "sam/phone",
            "alias:kitchen",
            "topic:doors",
            "tag:office | \"!\"",
        ]
    });
}

fn check(text: &str) {
    if let Ok(condition) = text.parse::<TagExpression>() {
        let again: TagExpression = condition.to_string().parse().expect("its own text");
        assert_eq!(again, condition);
        let all = condition.matches(&|_| true);
        let none = condition.matches(&|_| false);
        assert_eq!(
            (again.matches(&|_| true), again.matches(&|_| false)),
            (all, none)
        );
    }
    let exact = TagExpression::exactly(text);
    if let Ok(read) = exact.to_string().parse::<TagExpression>() {
        // White space around a tag does not count, nor does a tag of nothing else.
        assert!(read.matches(&|tag| tag == text), "{text:?}");
    }
    let can_be = |target: &Target| match target {
        Target::User(user) | Target::Device { user, .. } => jid::localpart(user).is_some(),
        _ => true,
    };
    if let Some(target) = text.parse::<Target>().ok().filter(can_be) {
        let written = target.to_string();
        assert_eq!(written.parse(), Ok(target), "{written:?}");
    }
}

fuzz_target!(init: seeds(), |text: &str| check(text));

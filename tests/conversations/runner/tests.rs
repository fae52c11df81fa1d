//! The runner itself: a script that says what is not so has to fail, on its line and with a reason.

use super::play;

struct Case {
    name: &'static str,
    script: &'static str,
    line: usize,
    /// Part of the reason.
    why: &'static str,
}

const WRONG: &[Case] = &[
    Case {
        name: "a directive nobody knows",
        script: "[phone] sam\n\nsam sings",
        line: 3,
        why: "does not know how it \"sings\"",
    },
    Case {
        name: "a stanza that does not come",
        script: "[phone] sam\nsam logs in\nsam receives: <iq/>",
        line: 3,
        why: "nothing came",
    },
    Case {
        name: "a stanza that is not spoken of",
        script: "[phone] sam\nsam logs in\nsam sends: <iq type='get' id='1'><q xmlns='q'/></iq>\nafter 1s",
        line: 4,
        why: "at the end of the script, sam: it was also sent <iq",
    },
    Case {
        name: "a stanza before the one that is spoken of",
        script: "[phone] sam\nsam opens a stream\nsam sends: <iq type='get' id='1'/><iq type='get' id='2'/>\nsam is refused 2: bad-request 400",
        line: 4,
        why: "wants id=\"2\", not \"1\"",
    },
    Case {
        name: "something where nothing was to come",
        script: "[phone] sam\nsam opens a stream\nsam sends: <iq type='get' id='1'/>\nsam receives nothing",
        line: 4,
        why: "it was also sent <iq",
    },
    Case {
        name: "another condition",
        script: "[phone] sam\nsam opens a stream\nsam sends: <iq type='get' id='1'/>\nsam is refused 1: conflict 409",
        line: 4,
        why: "wants code=\"409\", not \"400\"",
    },
    Case {
        name: "another end",
        script: "[phone] sam\nsam opens a stream\nsam sends: <bogus/>\nsam is closed with conflict",
        line: 4,
        why: "wanted <conflict>, not <unsupported-stanza-type>",
    },
    Case {
        name: "a close that is not spoken of",
        script: "[phone] sam\nsam opens a stream\nafter 2m",
        line: 3,
        why: "it was also sent <error",
    },
    Case {
        name: "an open connection said to be closed",
        script: "[phone] sam\nsam opens a stream\nsam is closed",
        line: 3,
        why: "nothing came",
    },
    Case {
        name: "a phone that talks to nobody",
        script: "[phone] sam\nsam sends: <presence/>",
        line: 2,
        why: "it is not connected",
    },
    Case {
        name: "a name nobody has given",
        script: "[phone] sam\nsam opens a stream\nsam sends: {hello}",
        line: 3,
        why: "nothing has been called {hello}",
    },
    Case {
        name: "other figures",
        script: "[phone] sam\nsam logs in\nadmin pushes {a} to sam: title=t -> queued 1 sent 0",
        line: 3,
        why: "what came: queued 1 sent 1",
    },
    Case {
        name: "another refusal",
        script: "admin pushes to sam: title=t -> refused: busy",
        line: 1,
        why: "what came: refused: unknown",
    },
    Case {
        name: "an answer too early",
        script: "admin pushes to *: title=t -> no answer yet",
        line: 1,
        why: "what came: queued 0 sent 0",
    },
    Case {
        name: "an answer that is not there",
        script: "[phone] sam\nsam logs in\ndisk is held\nadmin pushes to sam: title=t -> done",
        line: 4,
        why: "what came: no answer yet",
    },
    Case {
        name: "another push",
        script: "[phone] sam\nsam logs in\nadmin pushes {a} to sam: title=a\nadmin pushes {b} to sam: title=b\nsam receives the push {b}",
        line: 5,
        why: "<iq> wants id=",
    },
    Case {
        name: "another state",
        script: "[phone] sam\nsam logs in\nadmin pushes {a} to sam: title=a\nadmin sees {a}: sam/AndroidpnClient queued",
        line: 4,
        why: "what there is: sam/AndroidpnClient sent",
    },
    Case {
        name: "other facts",
        script: "[phone] sam\nsam logs in\nadmin sees user sam: online=no",
        line: 3,
        why: "online=\"yes\"",
    },
    Case {
        name: "facts nobody has heard of",
        script: "admin sees status: weather=fine",
        line: 1,
        why: "there is no fact \"weather\"",
    },
    Case {
        name: "a user who is there said not to be",
        script: "[phone] sam\nsam logs in\nadmin sees no user sam",
        line: 3,
        why: "there is one",
    },
    Case {
        name: "other bytes",
        script: "[phone] sam\nsam opens a stream\nsam sends: <iq type='result' id='1'/></stream:stream>\nsam receives exactly: <bye/>",
        line: 4,
        why: "what came: </stream:stream>",
    },
    Case {
        name: "a server that is off",
        script: "[phone] sam\nserver stops\nsam connects",
        line: 3,
        why: "the server does not run",
    },
    Case {
        name: "a setting nobody knows",
        script: "[server] colour: green",
        line: 1,
        why: "no setting \"colour\"",
    },
];

#[test]
fn wrong_scripts_fail() {
    for case in WRONG {
        for chopped in [false, true] {
            let Err((line, why)) = play(case.script, chopped) else {
                panic!("{}: holds (chopped: {chopped})", case.name);
            };
            assert_eq!(line, case.line, "{}: {why}", case.name);
            assert!(why.contains(case.why), "{}: {why}", case.name);
        }
    }
}

#[test]
fn a_failure_shows_the_wire() {
    let script = "[phone] sam\nsam opens a stream\nsam sends: <bogus/>\nsam receives nothing";
    let (_, why) = play(script, false).unwrap_err();
    assert!(why.contains("-> <bogus/>"), "{why}");
    assert!(why.contains("<- <stream:error>"), "{why}");
}

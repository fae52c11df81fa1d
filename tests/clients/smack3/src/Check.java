import java.util.Objects;

/** Says what was wanted and what came. */
final class Check {
    private Check() {
    }

    static void equal(String what, Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError(what + ": want " + want + ", got " + got);
        }
    }

    static void contains(String what, String part, String whole) {
        if (!whole.contains(part)) {
            throw new AssertionError(what + ": want " + part + " in " + whole);
        }
    }

    static void arrived(Phone phone, Gateway.Accepted push, String title) throws InterruptedException {
        Phone.Notification got = phone.next();
        equal("title of the next push", title, got.title());
        equal("id of " + title, push.id(), got.id());
    }

    /** Everybody connected has got a push, so none of them is held any more as one who has only just come. */
    static void reached(Gateway gateway, Phone... phones) throws Exception {
        Gateway.Accepted push = gateway.push("*", "reached");
        for (Phone phone : phones) {
            arrived(phone, push, "reached");
        }
    }
}

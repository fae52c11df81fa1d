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
}

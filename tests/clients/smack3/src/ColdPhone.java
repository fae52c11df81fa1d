import java.io.BufferedReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A phone in a process that has just begun: logs in, prints the id of the first push it gets, and leaves.
 * Its classes load as it goes, which takes as long on a computer as warm code takes on a slow phone.
 */
final class ColdPhone {
    private ColdPhone() {
    }

    /** Runs it in a process of its own and returns what it printed. */
    static String firstPush(int port, Phone phone) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp", System.getProperty("java.class.path"),
                ColdPhone.class.getName(), String.valueOf(port), phone.user, phone.password);
        builder.redirectError(ProcessBuilder.Redirect.DISCARD);
        Process process = builder.start();
        try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
            return lines.readLine();
        } finally {
            process.waitFor();
        }
    }

    public static void main(String[] arguments) throws Exception {
        Phone.addProvider();
        Phone phone = new Phone(Integer.parseInt(arguments[0]), arguments[1], arguments[2], Phone.RESOURCE);
        phone.connect();
        phone.login();
        try {
            System.out.println(phone.next().id());
            // The answer to the ping behind the push has left before this one.
            phone.sync();
            phone.quit();
        } finally {
            // Smack's threads are not all daemons.
            System.exit(0);
        }
    }
}

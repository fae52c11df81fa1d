import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** A wire to a server's port that can be held and cut; wire.py tells how. */
final class Wire implements AutoCloseable {
    final int port;
    private final Process process;
    private final BufferedReader answers;

    /** Stands before this port; wire.py is found by the property {@code shared}. */
    Wire(int port) throws IOException {
        process = new ProcessBuilder("python3", System.getProperty("shared") + "/wire.py", String.valueOf(port))
                .redirectError(ProcessBuilder.Redirect.INHERIT).start();
        answers = process.inputReader(StandardCharsets.UTF_8);
        this.port = Integer.parseInt(answers.readLine());
    }

    void order(String word) throws IOException {
        OutputStream orders = process.getOutputStream();
        orders.write((word + "\n").getBytes(StandardCharsets.UTF_8));
        orders.flush();
        Check.equal("answer of the wire", "done", answers.readLine());
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}

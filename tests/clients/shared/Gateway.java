import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One lanpush with a data directory of its own: started, stopped, killed, and spoken to over HTTP. */
final class Gateway implements AutoCloseable {
    /** What a push was answered with. */
    record Accepted(String id, int queued, int sent) {
    }

    /** Longest wait for anything in these tests; reached only when something is wrong. */
    static final int PATIENCE_MS = 15_000;
    static final String DOMAIN = "push.lan";

    private static final String API = "/api/v1/notifications";
    private static final Pattern STATE = Pattern.compile("\"state\"\\s*:\\s*\"(\\w+)\"");

    private final String binary;
    private final Path directory;
    private Process process;
    private int xmppPort;
    private int xmppsPort;
    private int httpPort;

    /** Starts the binary named by LANPUSH_BIN with an empty data directory below {@code directory}. */
    Gateway(Path directory) throws IOException {
        this.binary = System.getenv("LANPUSH_BIN");
        this.directory = directory;
        Files.createDirectories(directory);
        start();
    }

    int port() {
        return xmppPort;
    }

    int tlsPort() {
        return xmppsPort;
    }

    /** Starts it; the second time on the ports and with the data of the first. */
    void start() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(binary, "serve",
                "--data", directory.resolve("data").toString(), "--domain", DOMAIN,
                "--xmpp", "127.0.0.1:" + xmppPort, "--xmpps", "127.0.0.1:" + xmppsPort, "--http", "127.0.0.1:" + httpPort,
                "--xmpps", "127.0.0.1:0");
        builder.directory(directory.toFile());
        builder.redirectError(ProcessBuilder.Redirect.appendTo(directory.resolve("log").toFile()));
        process = builder.start();
        BufferedReader lines = process.inputReader(StandardCharsets.UTF_8);
        List<String> said = new ArrayList<>();
        Map<String, Integer> ports = new HashMap<>();
        while (ports.size() < 3) {
            String line = lines.readLine();
            if (line == null) {
                throw new IOException("the server ended before it was ready; it said " + said + ", log: "
                        + Files.readString(directory.resolve("log")));
            }
            said.add(line);
            String[] words = line.split(" ");
            if (words[0].equals("ready")) {
                ports.put(words[1], Integer.parseInt(line.substring(line.lastIndexOf(':') + 1).trim()));
            }
        }
        xmppPort = ports.get("xmpp");
        xmppsPort = ports.get("xmpps");
        httpPort = ports.get("http");
    }

    /** SIGTERM. The exit code has to be 0. */
    void stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(PATIENCE_MS, TimeUnit.MILLISECONDS)) {
            process.destroyForcibly().waitFor();
            throw new AssertionError("the server did not stop on SIGTERM");
        }
        Check.equal("exit code after SIGTERM", 0, process.exitValue());
    }

    /** SIGKILL: nothing can be said or saved. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }

    /** Pushes through the JSON API; the answer has to be 202. */
    Accepted push(String to, String title, String message, String uri) throws IOException {
        String answer = read(post(API, "application/json", json(to, title, message, uri)), 202);
        return new Accepted(field(answer, "\"id\"\\s*:\\s*\"([^\"]+)\""),
                Integer.parseInt(field(answer, "\"queued\"\\s*:\\s*(\\d+)")),
                Integer.parseInt(field(answer, "\"sent\"\\s*:\\s*(\\d+)")));
    }

    Accepted push(String to, String title) throws IOException {
        return push(to, title, "message of " + title, "");
    }

    /** Whether a push is taken; if it is not, it has to be refused as the sender's fault. */
    boolean accepts(String to, String title, String message) throws IOException {
        HttpURLConnection request = post(API, "application/json", json(to, title, message, ""));
        boolean refused = request.getResponseCode() == 400;
        read(request, refused ? 400 : 202);
        return !refused;
    }

    /** Pushes through androidpn's form; the answer has to be a redirect. */
    void pushByForm(String broadcast, String user, String title, String message, String uri) throws IOException {
        String form = "broadcast=" + encode(broadcast) + "&username=" + encode(user) + "&title=" + encode(title)
                + "&message=" + encode(message) + "&uri=" + encode(uri);
        read(post("/notification.do?action=send", "application/x-www-form-urlencoded", form), 302);
    }

    /** Makes an account, as an administrator does. */
    void addUser(String name, String password) throws IOException {
        String body = "{\"name\":" + quote(name) + ",\"password\":" + quote(password) + "}";
        read(post("/api/v1/users", "application/json", body), 201);
    }

    /** Waits until every device of a notification has got as far as this or further. */
    void reached(String id, String state) throws IOException {
        String wait = "?wait=" + PATIENCE_MS / 1000 + "&for=" + state;
        HttpURLConnection request = open("GET", API + "/" + id + wait);
        request.setReadTimeout(2 * PATIENCE_MS);
        String answer = read(request, 200);
        Check.contains("notification that is to be " + state, "\"reached\":true", answer);
    }

    /** Waits until every delivery of a notification has reached this state. */
    void awaitState(String id, String state) throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
        List<String> states = states(id);
        while (states.isEmpty() || !states.stream().allMatch(state::equals)) {
            if (System.nanoTime() > end) {
                throw new AssertionError("notification " + id + " is " + states + ", want " + state);
            }
            Thread.sleep(20);
            states = states(id);
        }
    }

    /** The states of a notification's deliveries, as the API shows them. */
    private List<String> states(String id) throws IOException {
        String all = read(open("GET", API), 200);
        int from = all.indexOf("\"" + id + "\"");
        if (from < 0) {
            return List.of();
        }
        int end = all.indexOf("\"id\"", from);
        Matcher match = STATE.matcher(all.substring(from, end < 0 ? all.length() : end));
        List<String> states = new ArrayList<>();
        while (match.find()) {
            states.add(match.group(1));
        }
        return states;
    }

    private HttpURLConnection open(String method, String path) throws IOException {
        URI uri = URI.create("http://127.0.0.1:" + httpPort + path);
        HttpURLConnection request = (HttpURLConnection) uri.toURL().openConnection();
        request.setRequestMethod(method);
        request.setInstanceFollowRedirects(false);
        request.setConnectTimeout(PATIENCE_MS);
        request.setReadTimeout(PATIENCE_MS);
        return request;
    }

    private HttpURLConnection post(String path, String type, String body) throws IOException {
        HttpURLConnection request = open("POST", path);
        request.setDoOutput(true);
        request.setRequestProperty("Content-Type", type);
        try (OutputStream out = request.getOutputStream()) {
            out.write(body.getBytes(StandardCharsets.UTF_8));
        }
        return request;
    }

    private static String read(HttpURLConnection request, int want) throws IOException {
        int status = request.getResponseCode();
        try (InputStream in = status < 400 ? request.getInputStream() : request.getErrorStream()) {
            String body = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
            Check.equal("status of " + request.getURL().getPath() + " with body " + body, want, status);
            return body;
        }
    }

    private static String field(String json, String pattern) {
        Matcher match = Pattern.compile(pattern).matcher(json);
        if (!match.find()) {
            throw new AssertionError("no " + pattern + " in " + json);
        }
        return match.group(1);
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static String json(String to, String title, String message, String uri) {
        return "{\"to\":" + quote(to) + ",\"title\":" + quote(title)
                + ",\"message\":" + quote(message) + ",\"uri\":" + quote(uri) + "}";
    }

    private static String quote(String text) {
        StringBuilder json = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                json.append('\\').append(c);
            } else if (c < ' ') {
                json.append(String.format("\\u%04x", (int) c));
            } else {
                json.append(c);
            }
        }
        return json.append('"').toString();
    }
}

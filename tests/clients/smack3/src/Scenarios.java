import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.smack.SmackConfiguration;
import org.jivesoftware.smack.XMPPConnection;
import org.jivesoftware.smack.XMPPException;
import org.jivesoftware.smack.packet.Presence;
import org.kxml2.io.KXmlParser;
import org.xmlpull.mxp1.MXParser;
import org.xmlpull.v1.XmlPullParserFactory;

/**
 * Runs scenarios against real servers, each with a server of its own, several at a time.
 *
 * <p>Arguments: a directory for the servers' data and logs, then names of scenarios; none means all. Prints
 * {@code ok NAME} or {@code FAIL NAME: why} for each; the exit code is 1 if any failed.
 *
 * <p>"Nothing came" is never shown by waiting: another push is sent, and it has to be the next to arrive.
 */
public final class Scenarios {
    private static final String TITLE = "Tür 🔔 <b>offen</b> &amp; \"zu\" '门铃'";
    private static final String MESSAGE = " 第一行\n<second> & line\n\n\t👩‍👩‍👧 ]]> \"it's\" &lt; ";
    private static final String URI = "http://nas.lan/?a=1&b='2'";

    private interface Scenario {
        void run(Gateway gateway) throws Exception;
    }

    private Scenarios() {
    }

    private static Map<String, Scenario> all() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        // The longest first, as the others run beside it.
        all.put("heartbeats", Scenarios::heartbeats);
        all.put("registers-and-receives", Scenarios::registersAndReceives);
        all.put("forbidden-characters", Scenarios::forbiddenCharacters);
        all.put("credentials", Scenarios::credentials);
        all.put("push-while-away", Scenarios::pushWhileAway);
        all.put("push-at-cold-start", Scenarios::pushAtColdStart);
        all.put("server-stopped", Scenarios::serverStopped);
        all.put("server-killed", Scenarios::serverKilled);
        all.put("same-address-twice", Scenarios::sameAddressTwice);
        all.put("two-logins-at-once", Scenarios::twoLoginsAtOnce);
        all.put("two-devices", Scenarios::twoDevices);
        all.put("alias-and-tags", Scenarios::aliasAndTags);
        all.put("confirmation", Scenarios::confirmation);
        all.put("secure-registers-and-receives", Scenarios::secureRegistersAndReceives);
        all.put("secure-credentials", Scenarios::secureCredentials);
        all.put("secure-server-stopped", Scenarios::secureServerStopped);
        all.put("secure-beside-plain", Scenarios::secureBesidePlain);
        return all;
    }

    /** Lone spaces keep a connection as it is: nothing is answered to them, and pushes still arrive. */
    private static void heartbeats(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        // Smack's first heartbeat comes 15 s after connecting, whatever the interval.
        long end = System.nanoTime() + 20_000_000_000L;
        while (phone.sockets.heartbeats.get() < 3 && System.nanoTime() < end) {
            Thread.sleep(100);
        }
        Check.equal("three heartbeats sent", true, phone.sockets.heartbeats.get() >= 3);
        phone.awaits(gateway.push(phone.user, "after silence"), "after silence");
        Check.equal("still connected", true, phone.connection().isConnected());
        phone.quit();
    }

    private static void registersAndReceives(Gateway gateway) throws Exception {
        Phone phone = Phone.fresh(gateway.port());
        phone.connect();
        Check.equal("Smack's own parser", KXmlParser.class, parserOf(phone.connection()).getClass().getSuperclass());
        phone.register();
        phone.login();
        phone.sync();
        // In the name the client used, not in the one the server is configured with.
        Check.equal("address", phone.user + "@127.0.0.1/" + Phone.RESOURCE, phone.connection().getUser());
        Phone other = Phone.online(gateway.port());

        Phone.reached(gateway, phone, other);
        Gateway.Accepted broadcast = gateway.push("*", TITLE, MESSAGE, URI);
        Check.equal("queued of a broadcast", 2, broadcast.queued());
        Check.equal("sent of a broadcast", 2, broadcast.sent());
        Phone.Notification wanted = new Phone.Notification(broadcast.id(), TITLE, MESSAGE, URI);
        Check.equal("broadcast", wanted, phone.next());
        Check.equal("broadcast to the other", wanted, other.next());

        Gateway.Accepted single = gateway.push(phone.user, "", MESSAGE, "");
        Check.equal("user push", new Phone.Notification(single.id(), "", MESSAGE, ""), phone.next());
        gateway.pushByForm("N", phone.user, TITLE, MESSAGE, URI);
        Phone.Notification byForm = phone.next();
        Check.equal("form's push", new Phone.Notification(byForm.id(), TITLE, MESSAGE, URI), byForm);
        gateway.pushByForm("Y", "", "to all", "", "");
        Check.equal("form's broadcast", "to all", phone.next().title());
        Check.equal("only the broadcasts reach the other", "to all", other.next().title());
        phone.quit();
        other.quit();
    }

    private static Object parserOf(XMPPConnection connection) throws ReflectiveOperationException {
        var reader = XMPPConnection.class.getDeclaredField("packetReader");
        reader.setAccessible(true);
        var parser = reader.get(connection).getClass().getDeclaredField("parser");
        parser.setAccessible(true);
        return parser.get(reader.get(connection));
    }

    /** What XML cannot carry must not reach the phone's parser, whether the push is refused or mended. */
    private static void forbiddenCharacters(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        if (gateway.accepts(phone.user, "bell \u0007", "null \0 escape \u001b noncharacter \uffff")) {
            Phone.Notification mended = phone.next();
            String text = mended.title() + mended.message();
            Check.contains("mended text", "bell", text);
            // This parser lets them pass; those of other clients end the stream.
            boolean clean = text.chars().allMatch(c -> c >= ' ' && c < 0xfffe);
            Check.equal("only characters of XML 1.0", true, clean);
        }
        phone.awaits(gateway.push(phone.user, "next"), "next");
        Check.equal("endings", 0, phone.endings.size());
        phone.quit();
    }

    private static void credentials(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        Phone intruder = new Phone(gateway.port(), phone.user, Phone.uuid(), Phone.RESOURCE);
        intruder.connect();
        Check.contains("login with a wrong password", "401", refusal(intruder::login));
        Check.contains("registration of a taken name", "409", refusal(intruder::register));
        Phone stranger = Phone.fresh(gateway.port());
        stranger.connect();
        Check.contains("login of nobody", "401", refusal(stranger::login));

        Phone again = new Phone(gateway.port(), phone.user, phone.password, "Other");
        again.connect();
        again.register();
        again.login();
        phone.awaits(gateway.push(phone.user, "unharmed"), "unharmed");
        phone.quit();
        again.quit();
    }

    private interface Step {
        void run() throws Exception;
    }

    private static String refusal(Step step) throws Exception {
        try {
            step.run();
        } catch (XMPPException refused) {
            return String.valueOf(refused);
        }
        throw new AssertionError("not refused");
    }

    private static void pushWhileAway(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        phone.quit();
        Gateway.Accepted first = gateway.push(phone.user, "first");
        Gateway.Accepted second = gateway.push("*", "second");
        Check.equal("queued while away", 1, first.queued());
        Check.equal("sent while away", 0, first.sent());
        phone.comeOnline();
        phone.awaits(first, "first");
        phone.awaits(second, "second");
        gateway.awaitState(first.id(), "acknowledged");
        gateway.awaitState(second.id(), "acknowledged");
        phone.quit();

        phone.comeOnline();
        phone.awaits(gateway.push(phone.user, "third"), "third");
        // Presence again must not bring them back either.
        phone.send(new Presence(Presence.Type.available));
        phone.awaits(gateway.push(phone.user, "fourth"), "fourth");
        phone.quit();
    }

    /**
     * androidpn adds its listener after login, and login sends the presence: a push that comes at once finds
     * no listener, while Smack answers the ping behind it all the same.
     */
    private static void pushAtColdStart(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        phone.quit();
        for (int start = 1; start <= 4; start++) {
            Gateway.Accepted push = gateway.push(phone.user, "start " + start);
            Check.equal("push at start " + start, push.id(), ColdPhone.firstPush(gateway.port(), phone));
            gateway.awaitState(push.id(), "acknowledged");
        }
    }

    /** The server stops; the phone is told, comes back by itself and gets what was sent meanwhile, only that. */
    private static void serverStopped(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        Gateway.Accepted before = gateway.push(phone.user, "before");
        phone.awaits(before, "before");
        gateway.awaitState(before.id(), "acknowledged");
        phone.reconnectEvery(1000);
        gateway.stop();
        Check.contains("what the phone was told", "system-shutdown", phone.nextEnding());
        gateway.start();
        phone.awaits(gateway.push(phone.user, "meanwhile"), "meanwhile");
        phone.awaits(gateway.push("*", "after"), "after");
        phone.quit();
    }

    /**
     * The server is killed. Its kernel has to reset the connections: this parser would take a plain end for
     * the end of a document, and the phone would sit there for ever.
     */
    private static void serverKilled(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        Gateway.Accepted before = gateway.push(phone.user, "before");
        phone.awaits(before, "before");
        phone.reconnectEvery(1000);
        gateway.kill();
        Check.contains("what the phone was told", "SocketException", phone.nextEnding());
        gateway.start();
        Gateway.Accepted meanwhile = gateway.push(phone.user, "meanwhile");
        Phone.Notification got = phone.next();
        // The receipt may have died with the server; then the same notification comes again, with its id.
        if (got.id().equals(before.id())) {
            got = phone.next();
        }
        Check.equal("push after the restart", meanwhile.id(), got.id());
        phone.awaits(gateway.push("*", "after"), "after");
        phone.quit();
    }

    private static void sameAddressTwice(Gateway gateway) throws Exception {
        Phone old = Phone.online(gateway.port());
        Phone young = new Phone(gateway.port(), old.user, old.password, Phone.RESOURCE);
        young.comeOnline();
        Check.contains("what the old one was told", "conflict", old.nextEnding());
        Phone.reached(gateway, young);
        Gateway.Accepted push = gateway.push(old.user, "to the new one");
        Check.equal("queued", 1, push.queued());
        Check.equal("sent", 1, push.sent());
        young.awaits(push, "to the new one");
        young.awaits(gateway.push("*", "still there"), "still there");
        Check.equal("pushes at the old one", 0, old.inbox.size());
        young.quit();
    }

    /** Two reconnection threads of one app log in at the same time, as they do after a network change. */
    private static void twoLoginsAtOnce(Gateway gateway) throws Exception {
        Phone first = Phone.fresh(gateway.port());
        first.connect();
        first.register();
        Phone second = new Phone(gateway.port(), first.user, first.password, Phone.RESOURCE);
        second.connect();
        List<Phone> phones = List.of(first, second);
        CyclicBarrier start = new CyclicBarrier(phones.size());
        ExecutorService threads = Executors.newFixedThreadPool(phones.size());
        for (Phone phone : phones) {
            threads.submit(() -> {
                start.await();
                phone.login();
                return null;
            });
        }
        threads.shutdown();
        Check.equal("both have tried", true, threads.awaitTermination(Gateway.PATIENCE_MS, TimeUnit.MILLISECONDS));
        Phone winner = remaining(phones);
        winner.sync();
        Phone.reached(gateway, winner);
        Gateway.Accepted push = gateway.push(first.user, "once");
        Check.equal("queued", 1, push.queued());
        Check.equal("sent", 1, push.sent());
        winner.awaits(push, "once");
        winner.awaits(gateway.push("*", "next"), "next");
        Check.equal("copies elsewhere", 0, first.inbox.size() + second.inbox.size());
    }

    /** The one phone whose connection stays when the other has been told of the conflict. */
    private static Phone remaining(List<Phone> phones) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Gateway.PATIENCE_MS);
        List<Phone> connected = phones;
        while (connected.size() != 1) {
            Check.equal("time is left for one to go", true, System.nanoTime() < end);
            Thread.sleep(10);
            connected = phones.stream().filter(phone -> phone.connection().isConnected()).toList();
        }
        return connected.get(0);
    }

    private static void twoDevices(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        Phone tablet = new Phone(gateway.port(), phone.user, phone.password, "Tablet");
        tablet.comeOnline();
        Phone.reached(gateway, phone, tablet);
        Gateway.Accepted push = gateway.push(phone.user, "both");
        Check.equal("queued", 2, push.queued());
        Check.equal("sent", 2, push.sent());
        phone.awaits(push, "both");
        tablet.awaits(push, "both");
        tablet.quit();
        Gateway.Accepted later = gateway.push(phone.user, "later");
        phone.awaits(later, "later");
        tablet.comeOnline();
        tablet.awaits(later, "later");
        phone.quit();
        tablet.quit();
    }

    private static void aliasAndTags(Gateway gateway) throws Exception {
        Phone kitchen = Phone.online(gateway.port());
        Phone garage = Phone.online(gateway.port());
        kitchen.request(Phone.forkRequest("setalias", "<alias>kitchen</alias>"));
        kitchen.request(Phone.forkRequest("settags", "<tags>house,upstairs</tags>"));
        // One fork names the user, but it may only speak for itself.
        garage.request(Phone.forkRequest("settags",
                "<username>" + kitchen.user + "</username><tags>house,cold</tags>"));
        kitchen.awaits(gateway.push("alias:kitchen", "by alias"), "by alias");
        kitchen.awaits(gateway.push("tag:upstairs", "by tag"), "by tag");
        garage.awaits(gateway.push("tag:cold", "cold"), "cold");
        Gateway.Accepted house = gateway.push("tag:house", "house");
        Check.equal("queued of a tag", 2, house.queued());
        kitchen.awaits(house, "house");
        garage.awaits(house, "house");
        gateway.awaitState(house.id(), "acknowledged");
        gateway.stop();
        kitchen.nextEnding();
        gateway.start();
        kitchen.comeOnline();
        kitchen.awaits(gateway.push("alias:kitchen", "after a restart"), "after a restart");
        kitchen.quit();
        garage.quit();
    }

    private static void confirmation(Gateway gateway) throws Exception {
        Phone phone = Phone.online(gateway.port());
        for (String fork : List.of("deliverconfirm", "receipt")) {
            Gateway.Accepted push = gateway.push(phone.user, fork);
            phone.awaits(push, fork);
            gateway.awaitState(push.id(), "acknowledged");
            phone.send(Phone.forkRequest(fork, "<uuid>" + push.id() + "</uuid>"));
            gateway.awaitState(push.id(), "confirmed");
        }
        phone.quit();
    }

    /** androidpn's real setting: TLS or nothing. */
    private static Phone secure(Gateway gateway) {
        return Phone.secure(gateway.port(), Phone.uuid(), Phone.uuid());
    }

    private static void secureRegistersAndReceives(Gateway gateway) throws Exception {
        Phone phone = secure(gateway);
        phone.connect();
        Check.equal("encrypted before it registers", true, phone.connection().isUsingTLS());
        phone.register();
        phone.login();
        phone.sync();
        Check.equal("address", phone.user + "@127.0.0.1/" + Phone.RESOURCE, phone.connection().getUser());
        Gateway.Accepted push = gateway.push(phone.user, TITLE, MESSAGE, URI);
        Check.equal("push", new Phone.Notification(push.id(), TITLE, MESSAGE, URI), phone.next());
        gateway.awaitState(push.id(), "acknowledged");
        gateway.pushByForm("Y", "", "to all", "", "");
        Check.equal("form's broadcast", "to all", phone.next().title());
        // The answer to the ping behind the push has left before this one.
        phone.sync();
        phone.quit();
        phone.comeOnline();
        phone.awaits(gateway.push(phone.user, "again"), "again");
        phone.quit();
    }

    private static void secureCredentials(Gateway gateway) throws Exception {
        Phone phone = secure(gateway);
        phone.connect();
        phone.register();
        phone.login();
        phone.sync();
        Phone intruder = Phone.secure(gateway.port(), phone.user, Phone.uuid());
        intruder.connect();
        Check.contains("login with a wrong password", "401", refusal(intruder::login));
        Check.contains("registration of a taken name", "409", refusal(intruder::register));
        Phone stranger = secure(gateway);
        stranger.connect();
        Check.contains("login of nobody", "401", refusal(stranger::login));
        phone.awaits(gateway.push(phone.user, "unharmed"), "unharmed");
        phone.quit();
    }

    /** The server stops, then is killed; the phone comes back by itself and over TLS. */
    private static void secureServerStopped(Gateway gateway) throws Exception {
        Phone phone = secure(gateway);
        phone.connect();
        phone.register();
        phone.login();
        phone.sync();
        Gateway.Accepted before = gateway.push(phone.user, "before");
        phone.awaits(before, "before");
        gateway.awaitState(before.id(), "acknowledged");
        phone.reconnectEvery(1000);
        gateway.stop();
        Check.contains("what the phone was told", "system-shutdown", phone.nextEnding());
        gateway.start();
        Gateway.Accepted meanwhile = gateway.push(phone.user, "meanwhile");
        phone.awaits(meanwhile, "meanwhile");
        Check.equal("still encrypted", true, phone.connection().isUsingTLS());
        Gateway.Accepted last = gateway.push(phone.user, "last before the end");
        phone.awaits(last, "last before the end");
        gateway.kill();
        phone.nextEnding();
        gateway.start();
        Gateway.Accepted after = gateway.push(phone.user, "after");
        Phone.Notification got = phone.next();
        // The latest receipts may have died with the server.
        for (Gateway.Accepted known : List.of(meanwhile, last)) {
            if (got.id().equals(known.id())) {
                got = phone.next();
            }
        }
        Check.equal("push after the kill", after.id(), got.id());
        phone.quit();
    }

    /** One account, one phone of each kind. */
    private static void secureBesidePlain(Gateway gateway) throws Exception {
        Phone plain = Phone.online(gateway.port());
        plain.quit();
        Gateway.Accepted push = gateway.push(plain.user, "left by the plain one");
        Phone secure = Phone.secure(gateway.port(), plain.user, plain.password);
        secure.comeOnline();
        secure.awaits(push, "left by the plain one");
        gateway.awaitState(push.id(), "acknowledged");
        secure.quit();
        plain.comeOnline();
        plain.awaits(gateway.push(plain.user, "plain again"), "plain again");
        plain.quit();
    }

    public static void main(String[] arguments) throws Exception {
        checkParser();
        Phone.addProvider();
        SmackConfiguration.setKeepAliveInterval(1000);
        Path directory = Path.of(arguments[0]);
        Map<String, Scenario> chosen = all();
        if (arguments.length > 1) {
            chosen.keySet().retainAll(List.of(arguments).subList(1, arguments.length));
            Check.equal("scenarios of these names", arguments.length - 1, chosen.size());
        }
        ExecutorService threads = Executors.newFixedThreadPool(4);
        List<Future<Boolean>> results = new ArrayList<>();
        chosen.forEach((name, scenario) ->
                results.add(threads.submit(() -> passes(name, scenario, directory.resolve(name)))));
        boolean passed = true;
        for (Future<Boolean> result : results) {
            passed &= result.get();
        }
        // Smack's threads are not all daemons.
        System.exit(passed ? 0 : 1);
    }

    /** These tests are worth nothing with another parser than a phone has. */
    private static void checkParser() throws Exception {
        Check.equal("parser behind Smack's name", KXmlParser.class, MXParser.class.getSuperclass());
        Check.equal("parser of the factory", KXmlParser.class,
                XmlPullParserFactory.newInstance().newPullParser().getClass());
    }

    private static boolean passes(String name, Scenario scenario, Path directory) throws IOException {
        try (Gateway gateway = new Gateway(directory)) {
            scenario.run(gateway);
            System.out.println("ok " + name);
            return true;
        } catch (Exception | AssertionError why) {
            System.out.println("FAIL " + name + ": " + why);
            why.printStackTrace();
            return false;
        }
    }
}

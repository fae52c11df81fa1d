import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jivesoftware.smack.SmackConfiguration;
import org.jivesoftware.smack.XMPPException.XMPPErrorException;
import org.jivesoftware.smack.packet.Message;
import org.jivesoftware.smack.packet.Presence;
import org.jivesoftware.smack.packet.StanzaError;
import org.jivesoftware.smack.roster.RosterEntry;
import org.jivesoftware.smack.roster.packet.RosterPacket;
import org.jivesoftware.smack.sasl.SASLError;
import org.jivesoftware.smack.sasl.SASLErrorException;
import org.jivesoftware.smackx.blocking.BlockingCommandManager;
import org.jivesoftware.smackx.delay.packet.DelayInformation;
import org.jivesoftware.smackx.disco.ServiceDiscoveryManager;
import org.jivesoftware.smackx.disco.packet.DiscoverInfo;
import org.jivesoftware.smackx.iqprivate.PrivateDataManager;
import org.jivesoftware.smackx.iqversion.VersionManager;
import org.jivesoftware.smackx.time.EntityTimeManager;
import org.jivesoftware.smackx.vcardtemp.VCardManager;
import org.jivesoftware.smackx.vcardtemp.packet.VCard;
import org.jxmpp.jid.EntityBareJid;
import org.jxmpp.jid.impl.JidCreate;

/**
 * Runs scenarios with Smack 4 against one server, several at a time.
 *
 * <p>Arguments: a directory for the server's data and log, then names of scenarios; none means all. Prints
 * {@code ok NAME} or {@code FAIL NAME: why} for each; the exit code is 1 if any failed.
 *
 * <p>"Nothing came" is never shown by waiting: something else is sent, and it has to be the next to arrive.
 */
public final class Scenarios {
    private static final String TITLE = "Tür 🔔 <b>offen</b> &amp; \"zu\" '门铃'";
    private static final String MESSAGE = "第一行\n<second> & line 👩‍👩‍👧 ]]> \"it's\" &lt;";
    private static final String URI = "http://nas.lan/?a=1&b=2";

    private final Gateway gateway;
    private final Pin pin = new Pin();

    private interface Scenario {
        void run() throws Exception;
    }

    private Scenarios(Gateway gateway) {
        this.gateway = gateway;
    }

    private Map<String, Scenario> besideEachOther() {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("resumes", this::resumes);
        all.put("registers-and-logs-in", this::registersAndLogsIn);
        all.put("direct-tls", this::directTls);
        all.put("contacts", this::contacts);
        all.put("questions", this::questions);
        all.put("push-arrives", this::pushArrives);
        all.put("push-while-away", this::pushWhileAway);
        all.put("chat", this::chat);
        all.put("offline-message", this::offlineMessage);
        all.put("blocking", this::blocking);
        return all;
    }

    private static EntityBareJid jid(String user) throws Exception {
        return JidCreate.entityBareFrom(user + "@" + Gateway.DOMAIN);
    }

    private Phone registered(String user) throws Exception {
        return Phone.registered(user, gateway.port(), pin);
    }

    private void registersAndLogsIn() throws Exception {
        Phone phone = registered("reg");
        Check.equal("address", "reg@" + Gateway.DOMAIN + "/phone", phone.connection.getUser().toString());
        Check.equal("encrypted", true, phone.connection.isSecureConnection());
        Check.contains("mechanism", "SCRAM-SHA-1", phone.connection.getUsedSaslMechansism());
        Check.equal("stream management", true, phone.connection.isSmEnabled());
        Check.equal("resumption", true, phone.connection.isSmResumptionPossible());
        phone.quit();
        Phone again = Phone.of("reg", Phone.PASSWORD, gateway.port(), pin);
        again.connection.connect();
        try {
            again.register("another");
            throw new AssertionError("a taken name is registered again");
        } catch (XMPPErrorException refused) {
            Check.equal("condition", StanzaError.Condition.conflict, refused.getStanzaError().getCondition());
        }
        again.login();
        again.quit();
    }

    private void directTls() throws Exception {
        gateway.addUser("direct", Phone.PASSWORD);
        Phone phone = Phone.direct("direct", gateway.tlsPort(), pin);
        phone.connection.connect();
        phone.login();
        Check.contains("mechanism", "SCRAM-SHA-1", phone.connection.getUsedSaslMechansism());
        gateway.push("direct", "", "over direct TLS", "");
        phone.hears("over direct TLS");
        phone.quit();
    }

    private void contacts() throws Exception {
        Phone romeo = registered("romeo");
        Phone juliet = registered("juliet");
        romeo.roster.createItemAndRequestSubscription(jid("juliet"), "Juliet", new String[] {"Capulet"});
        juliet.sees(Presence.Type.subscribe, jid("romeo"));
        juliet.say(Presence.Type.subscribed, jid("romeo").toString());
        romeo.sees(Presence.Type.subscribed, jid("juliet"));
        romeo.sees(Presence.Type.available, jid("juliet"));
        juliet.say(Presence.Type.subscribe, jid("romeo").toString());
        romeo.sees(Presence.Type.subscribe, jid("juliet"));
        romeo.say(Presence.Type.subscribed, jid("juliet").toString());
        juliet.sees(Presence.Type.available, jid("romeo"));
        romeo.sync();
        romeo.roster.reloadAndWait();
        RosterEntry entry = romeo.roster.getEntry(jid("juliet"));
        Check.equal("subscription", RosterPacket.ItemType.both, entry.getType());
        Check.equal("name", "Juliet", entry.getName());
        Check.equal("group", "Capulet", entry.getGroups().get(0).getName());
        romeo.quit();
        juliet.sees(Presence.Type.unavailable, jid("romeo"));
        juliet.roster.removeEntry(juliet.roster.getEntry(jid("romeo")));
        juliet.roster.reloadAndWait();
        Check.equal("contacts left", 0, juliet.roster.getEntryCount());
        juliet.quit();
    }

    /** Everything an app asks after its login has an answer. */
    private void questions() throws Exception {
        Phone phone = registered("curious");
        var domain = phone.connection.getXMPPServiceDomain();
        ServiceDiscoveryManager disco = ServiceDiscoveryManager.getInstanceFor(phone.connection);
        DiscoverInfo server = disco.discoverInfo(domain);
        Check.equal("it is a server", true, server.hasIdentity("server", "im"));
        for (String feature : List.of(DiscoverInfo.NAMESPACE, "urn:xmpp:ping", "vcard-temp", "jabber:iq:roster")) {
            Check.equal("feature " + feature, true, server.containsFeature(feature));
        }
        DiscoverInfo account = disco.discoverInfo(jid("curious"));
        Check.equal("it is an account", true, account.hasIdentity("account", "registered"));
        disco.discoverItems(domain);
        VersionManager versions = VersionManager.getInstanceFor(phone.connection);
        Check.equal("software has a name", false, versions.getVersion(domain).getName().isEmpty());
        EntityTimeManager clocks = EntityTimeManager.getInstanceFor(phone.connection);
        Check.equal("time is told", true, clocks.getTime(domain).getTime() != null);
        VCardManager cards = VCardManager.getInstanceFor(phone.connection);
        VCard card = new VCard();
        card.setNickName("Curious 门铃");
        cards.saveVCard(card);
        Check.equal("name on the card", "Curious 门铃", cards.loadVCard().getNickName());
        Check.equal("private storage", true, PrivateDataManager.getInstanceFor(phone.connection).isSupported());
        phone.quit();
    }

    private void pushArrives() throws Exception {
        Phone phone = registered("pushed");
        Gateway.Accepted push = gateway.push("pushed", TITLE, MESSAGE, URI);
        Message message = phone.next();
        Check.equal("sender", "push@" + Gateway.DOMAIN, message.getFrom().toString());
        Check.equal("id", push.id(), message.getStanzaId());
        Check.equal("kind", Message.Type.chat, message.getType());
        Check.equal("subject", TITLE, message.getSubject());
        Check.equal("body", TITLE + "\n" + MESSAGE + "\n" + URI, message.getBody());
        Check.contains("link", "<url>" + URI.replace("&", "&amp;") + "</url>", message.toXML().toString());
        gateway.reached(push.id(), "confirmed");
        phone.quit();
    }

    private void pushWhileAway() throws Exception {
        registered("traveller").quit();
        List<Gateway.Accepted> pushes = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            pushes.add(gateway.push("traveller", "", "while away " + number, ""));
        }
        Phone phone = Phone.online("traveller", "phone", gateway.port(), pin);
        for (int number = 0; number < 3; number++) {
            Message message = phone.next();
            Check.equal("id", pushes.get(number).id(), message.getStanzaId());
            Check.equal("body", "while away " + number, message.getBody());
            gateway.reached(message.getStanzaId(), "confirmed");
        }
        gateway.push("traveller", "", "next", "");
        phone.hears("next");
        phone.quit();
    }

    private void chat() throws Exception {
        Phone mia = registered("mia");
        Phone sam = registered("sam");
        Phone tablet = Phone.online("sam", "tablet", gateway.port(), pin);
        mia.say(jid("sam").toString(), "to all of them");
        sam.hears("to all of them");
        tablet.hears("to all of them");
        mia.say(jid("sam") + "/tablet", "to the tablet");
        tablet.hears("to the tablet");
        tablet.say(jid("mia") + "/phone", "received");
        mia.hears("received");
        mia.say(jid("sam") + "/phone", "to the phone");
        sam.hears("to the phone");
        tablet.prefer(-1);
        mia.say(jid("sam").toString(), "not to the tablet");
        sam.hears("not to the tablet");
        mia.say(jid("sam") + "/tablet", "by its full address");
        tablet.hears("by its full address");
        for (Phone phone : List.of(mia, sam, tablet)) {
            phone.quit();
        }
    }

    private void offlineMessage() throws Exception {
        Phone eve = registered("eve");
        gateway.addUser("bob", Phone.PASSWORD);
        eve.say(jid("bob").toString(), "first");
        eve.say(jid("bob").toString(), "second");
        eve.sync();
        Phone bob = Phone.online("bob", "phone", gateway.port(), pin);
        for (String text : List.of("first", "second")) {
            Message message = bob.next();
            Check.equal("body", text, message.getBody());
            Check.equal("it has a stamp", true, DelayInformation.from(message) != null);
        }
        // Smack counts a message only after it has handed it on.
        bob.sync();
        bob.quit();
        // A connection that is used again may first send what it had not sent before.
        bob = Phone.online("bob", "phone", gateway.port(), pin);
        eve.say(jid("bob").toString(), "third");
        bob.hears("third");
        bob.quit();
        eve.quit();
    }

    private void blocking() throws Exception {
        Phone bully = registered("bully");
        Phone victim = registered("victim");
        Phone friend = registered("friend");
        BlockingCommandManager blocking = BlockingCommandManager.getInstanceFor(victim.connection);
        Check.equal("blocking is supported", true, blocking.isSupportedByServer());
        blocking.blockContacts(List.of(jid("bully")));
        bully.say(jid("victim").toString(), "boo");
        bully.sync();
        friend.say(jid("victim").toString(), "hello");
        victim.hears("hello");
        blocking.unblockAll();
        bully.say(jid("victim").toString(), "sorry");
        victim.hears("sorry");
        for (Phone phone : List.of(bully, victim, friend)) {
            phone.quit();
        }
    }

    /** The wire goes dead, things are sent both ways, then it is cut: nothing is lost and nothing comes twice. */
    private void resumes() throws Exception {
        try (Wire wire = new Wire(gateway.port())) {
            Phone other = registered("anchor");
            Phone phone = Phone.registered("diver", wire.port, pin);
            // Who has only just come is not sent any for a moment; chats do not wait for that.
            gateway.push("diver", "", "settled", "");
            phone.hears("settled");
            for (String ending : List.of("cut", "leave")) {
                wire.order("hold");
                List<Gateway.Accepted> pushes = new ArrayList<>();
                for (int number = 0; number < 3; number++) {
                    pushes.add(gateway.push("diver", "", ending + " " + number, ""));
                }
                other.say(jid("diver") + "/phone", ending + " chat");
                other.sync();
                phone.say(jid("anchor") + "/phone", ending + " from below");
                wire.order(ending);
                phone.awaitEnd();
                phone.connection.connect();
                phone.connection.login();
                Check.equal("resumed", true, phone.connection.streamWasResumed());
                // Each sender's in their order; the order between senders is not promised.
                List<String> chats = new ArrayList<>();
                List<String> got = new ArrayList<>();
                for (int number = 0; number < 4; number++) {
                    Message message = phone.next();
                    boolean isPush = message.getFrom().asBareJid().equals(jid("push"));
                    (isPush ? got : chats).add(isPush ? message.getStanzaId() : message.getBody());
                }
                Check.equal("pushes", pushes.stream().map(Gateway.Accepted::id).toList(), got);
                Check.equal("chats", List.of(ending + " chat"), chats);
                for (Gateway.Accepted push : pushes) {
                    gateway.reached(push.id(), "confirmed");
                }
                other.hears(ending + " from below");
            }
            gateway.push("diver", "", "after", "");
            phone.hears("after");
            phone.say(jid("anchor") + "/phone", "dry again");
            other.hears("dry again");
            phone.quit();
            other.quit();
        }
    }

    /** Refused logins make later ones from the same address wait, so this comes when the others are through. */
    private void wrongPassword() throws Exception {
        gateway.addUser("careful", Phone.PASSWORD);
        for (String user : List.of("careful", "nobody-of-that-name")) {
            Phone phone = Phone.of(user, "wrong", gateway.port(), pin);
            phone.connection.connect();
            try {
                phone.connection.login();
                throw new AssertionError("a wrong password opens");
            } catch (SASLErrorException refused) {
                Check.equal("error", SASLError.not_authorized, refused.getSASLFailure().getSASLError());
            }
            phone.connection.instantShutdown();
        }
        Phone phone = Phone.online("careful", "phone", gateway.port(), pin);
        phone.quit();
    }

    public static void main(String[] arguments) throws Exception {
        SmackConfiguration.setDefaultReplyTimeout(Gateway.PATIENCE_MS);
        boolean passed;
        try (Gateway gateway = new Gateway(Path.of(arguments[0]))) {
            Scenarios scenarios = new Scenarios(gateway);
            scenarios.pin.accept(gateway.tlsPort());
            passed = scenarios.run(List.of(arguments).subList(1, arguments.length));
            gateway.stop();
        }
        // Smack's threads are not all daemons.
        System.exit(passed ? 0 : 1);
    }

    private boolean run(List<String> names) throws Exception {
        Map<String, Scenario> chosen = besideEachOther();
        Map<String, Scenario> last = new LinkedHashMap<>(Map.of("wrong-password", this::wrongPassword));
        if (!names.isEmpty()) {
            chosen.keySet().retainAll(names);
            last.keySet().retainAll(names);
            Check.equal("scenarios of these names", names.size(), chosen.size() + last.size());
        }
        ExecutorService threads = Executors.newFixedThreadPool(4);
        List<Future<Boolean>> results = new ArrayList<>();
        chosen.forEach((name, scenario) -> results.add(threads.submit(() -> passes(name, scenario))));
        boolean passed = true;
        for (Future<Boolean> result : results) {
            passed &= result.get();
        }
        for (Map.Entry<String, Scenario> scenario : last.entrySet()) {
            passed &= passes(scenario.getKey(), scenario.getValue());
        }
        threads.shutdown();
        return passed;
    }

    private static boolean passes(String name, Scenario scenario) {
        try {
            scenario.run();
            System.out.println("ok " + name);
            return true;
        } catch (Exception | AssertionError why) {
            System.out.println("FAIL " + name + ": " + why);
            why.printStackTrace();
            return false;
        }
    }
}

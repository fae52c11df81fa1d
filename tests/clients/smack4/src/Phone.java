import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.smack.ConnectionConfiguration.SecurityMode;
import org.jivesoftware.smack.ConnectionListener;
import org.jivesoftware.smack.filter.StanzaTypeFilter;
import org.jivesoftware.smack.packet.Message;
import org.jivesoftware.smack.packet.Presence;
import org.jivesoftware.smack.roster.Roster;
import org.jivesoftware.smack.tcp.XMPPTCPConnection;
import org.jivesoftware.smack.tcp.XMPPTCPConnectionConfiguration;
import org.jivesoftware.smackx.iqregister.AccountManager;
import org.jivesoftware.smackx.ping.PingManager;
import org.jivesoftware.smackx.receipts.DeliveryReceiptManager;
import org.jivesoftware.smackx.receipts.DeliveryReceiptManager.AutoReceiptMode;
import org.jxmpp.jid.EntityBareJid;
import org.jxmpp.jid.impl.JidCreate;
import org.jxmpp.jid.parts.Localpart;

/** An app made with Smack 4: it registers, logs in, and keeps what comes in the order in which it comes. */
final class Phone implements ConnectionListener {
    static final String PASSWORD = "secret of Smack";

    final String user;
    final XMPPTCPConnection connection;
    final Roster roster;
    private final BlockingQueue<Message> inbox = new LinkedBlockingQueue<>();
    private final BlockingQueue<Presence> presences = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> endings = new LinkedBlockingQueue<>();

    private Phone(String user, String password, String resource, int port, Pin pin, boolean direct) throws Exception {
        this.user = user;
        XMPPTCPConnectionConfiguration.Builder configuration = XMPPTCPConnectionConfiguration.builder()
                .setXmppDomain(Gateway.DOMAIN)
                .setHostAddress(InetAddress.getLoopbackAddress())
                .setPort(port)
                .setUsernameAndPassword(user, password)
                .setResource(resource)
                .setSendPresence(false);
        if (direct) {
            // Smack 4.4 has no name for it, but this is how apps did it.
            configuration.setSecurityMode(SecurityMode.disabled).setSocketFactory(pin.sockets());
        } else {
            // Smack compares the name of the certificate by itself.
            configuration.setSecurityMode(SecurityMode.required).setCustomX509TrustManager(pin);
        }
        connection = new XMPPTCPConnection(configuration.build());
        connection.addConnectionListener(this);
        connection.addSyncStanzaListener(stanza -> inbox.add((Message) stanza), StanzaTypeFilter.MESSAGE);
        connection.addSyncStanzaListener(stanza -> presences.add((Presence) stanza), StanzaTypeFilter.PRESENCE);
        DeliveryReceiptManager.getInstanceFor(connection).setAutoReceiptMode(AutoReceiptMode.always);
        roster = Roster.getInstanceFor(connection);
        roster.setSubscriptionMode(Roster.SubscriptionMode.manual);
    }

    static Phone of(String user, String password, int port, Pin pin) throws Exception {
        return new Phone(user, password, "phone", port, pin, false);
    }

    static Phone direct(String user, int port, Pin pin) throws Exception {
        return new Phone(user, PASSWORD, "phone", port, pin, true);
    }

    /** Another device of the same account. */
    static Phone online(String user, String resource, int port, Pin pin) throws Exception {
        Phone phone = new Phone(user, PASSWORD, resource, port, pin, false);
        phone.connection.connect();
        phone.login();
        return phone;
    }

    static Phone registered(String user, int port, Pin pin) throws Exception {
        Phone phone = of(user, PASSWORD, port, pin);
        phone.connection.connect();
        phone.register(PASSWORD);
        phone.login();
        return phone;
    }

    void register(String password) throws Exception {
        AccountManager accounts = AccountManager.getInstance(connection);
        Check.equal("registration is offered", true, accounts.supportsAccountCreation());
        accounts.createAccount(Localpart.from(user), password);
    }

    /** Logs in, waits for the roster and says that it is there. */
    void login() throws Exception {
        connection.login();
        roster.reloadAndWait();
        say(Presence.Type.available, null);
        sync();
    }

    /** Returns when the server has handled everything before. */
    void sync() throws Exception {
        Check.equal("answer to a ping", true, PingManager.getInstanceFor(connection).pingMyServer(false));
    }

    void say(String to, String body) throws Exception {
        connection.sendStanza(connection.getStanzaFactory().buildMessageStanza()
                .to(to).ofType(Message.Type.chat).setBody(body).build());
    }

    void say(Presence.Type type, String to) throws Exception {
        connection.sendStanza(connection.getStanzaFactory().buildPresenceStanza()
                .to(to == null ? null : JidCreate.from(to)).ofType(type).build());
    }

    void prefer(int priority) throws Exception {
        connection.sendStanza(connection.getStanzaFactory().buildPresenceStanza().setPriority(priority).build());
        sync();
    }

    Message next() throws InterruptedException {
        Message message = inbox.poll(Gateway.PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (message == null) {
            throw new AssertionError("no message came for " + user);
        }
        return message;
    }

    void hears(String body) throws InterruptedException {
        Check.equal("next message for " + user, body, next().getBody());
    }

    /** Waits for such a presence; what comes before it is let pass, as the order of presences is not promised. */
    void sees(Presence.Type type, EntityBareJid from) throws InterruptedException {
        List<Object> seen = new ArrayList<>();
        while (true) {
            Presence presence = presences.poll(Gateway.PATIENCE_MS, TimeUnit.MILLISECONDS);
            if (presence == null) {
                throw new AssertionError("no presence " + type + " from " + from + " came for " + user + ": " + seen);
            }
            if (presence.getType() == type && from.equals(presence.getFrom().asBareJid())) {
                return;
            }
            seen.add(presence.toXML());
        }
    }

    void awaitEnd() throws InterruptedException {
        if (endings.poll(Gateway.PATIENCE_MS, TimeUnit.MILLISECONDS) == null) {
            throw new AssertionError("the connection of " + user + " did not end");
        }
    }

    /** Closes the stream. Smack waits for the server's end of it, and without it as long as for an answer. */
    void quit() {
        long start = System.nanoTime();
        connection.disconnect();
        long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        Check.equal("the server closes its stream too, this took " + took + " ms", true, took < 5000);
    }

    @Override
    public void connectionClosedOnError(Exception error) {
        endings.add(String.valueOf(error));
    }
}

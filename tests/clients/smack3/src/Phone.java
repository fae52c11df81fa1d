import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jivesoftware.smack.ConnectionConfiguration;
import org.jivesoftware.smack.ConnectionListener;
import org.jivesoftware.smack.PacketCollector;
import org.jivesoftware.smack.PacketListener;
import org.jivesoftware.smack.XMPPConnection;
import org.jivesoftware.smack.XMPPException;
import org.jivesoftware.smack.filter.PacketIDFilter;
import org.jivesoftware.smack.filter.PacketTypeFilter;
import org.jivesoftware.smack.packet.IQ;
import org.jivesoftware.smack.packet.Packet;
import org.jivesoftware.smack.packet.Registration;
import org.jivesoftware.smack.packet.RosterPacket;
import org.jivesoftware.smack.provider.IQProvider;
import org.jivesoftware.smack.provider.ProviderManager;
import org.xmlpull.v1.XmlPullParser;

/** What androidpn's client does with Smack: connect, register, log in, listen, and come back after an error. */
final class Phone implements ConnectionListener {
    static final String RESOURCE = "AndroidpnClient";

    /** One notification as the application gets it. */
    record Notification(String id, String title, String message, String uri) {
    }

    final String user;
    final String password;
    final String resource;
    final WatchedSockets sockets = new WatchedSockets();
    /** What came, in order. */
    final BlockingQueue<Notification> inbox = new LinkedBlockingQueue<>();
    /** How connections ended, in order: "closed" or the error's text. */
    final BlockingQueue<String> endings = new LinkedBlockingQueue<>();

    private final int port;
    private final ConnectionConfiguration.SecurityMode security;
    private XMPPConnection connection;
    private Thread reconnection;
    private volatile long reconnectMillis;
    private volatile String trouble = "none";

    Phone(int port, String user, String password, String resource) {
        this(port, user, password, resource, ConnectionConfiguration.SecurityMode.disabled);
    }

    private Phone(int port, String user, String password, String resource,
            ConnectionConfiguration.SecurityMode security) {
        this.security = security;
        this.port = port;
        this.user = user;
        this.password = password;
        this.resource = resource;
    }

    /** A phone with credentials as androidpn makes them: two UUIDs without dashes. */
    static Phone fresh(int port) {
        return new Phone(port, uuid(), uuid(), RESOURCE);
    }

    /** The same, as androidpn is set up from 0.5.0 on: without TLS it does not even register. */
    static Phone secure(int port, String user, String password) {
        return new Phone(port, user, password, RESOURCE, ConnectionConfiguration.SecurityMode.required);
    }

    /** A phone with fresh credentials, registered, logged in and known to be there. */
    static Phone online(int port) throws XMPPException {
        Phone phone = fresh(port);
        phone.connect();
        phone.register();
        phone.login();
        phone.sync();
        return phone;
    }

    static String uuid() {
        return UUID.randomUUID().toString().replace("-", "");
    }

    /** Once per process: how Smack turns the payload of a push into a packet. */
    static void addProvider() {
        ProviderManager.getInstance()
                .addIQProvider("notification", "androidpn:iq:notification", new NotificationProvider());
    }

    void connect() throws XMPPException {
        ConnectionConfiguration configuration = new ConnectionConfiguration("127.0.0.1", port);
        configuration.setSecurityMode(security);
        configuration.setSASLAuthenticationEnabled(false);
        configuration.setCompressionEnabled(false);
        // androidpn has a thread of its own for this.
        configuration.setReconnectionAllowed(false);
        configuration.setSocketFactory(sockets);
        connection = new XMPPConnection(configuration);
        connection.connect();
    }

    /** Registers; an error answer comes as an exception with androidpn's text, which holds its code. */
    void register() throws XMPPException {
        Registration registration = new Registration();
        registration.setType(IQ.Type.SET);
        Map<String, String> fields = new HashMap<>();
        fields.put("username", user);
        fields.put("password", password);
        registration.setAttributes(fields);
        request(registration);
    }

    /** Logs in; Smack then asks for the roster and sends presence. The listeners follow, as in androidpn. */
    void login() throws XMPPException {
        connection.login(user, password, resource);
        connection.addConnectionListener(this);
        PacketListener listener = packet -> inbox.add(((NotificationIQ) packet).content);
        connection.addPacketListener(listener, new PacketTypeFilter(NotificationIQ.class));
    }

    /** Connects, logs in, and returns when the server knows that this phone is there. */
    void comeOnline() throws XMPPException {
        connect();
        login();
        sync();
    }

    /** Waits for an answer that the server can only give after it has handled everything before. */
    void sync() throws XMPPException {
        request(new RosterPacket());
    }

    /** Sends an IQ and waits for its answer. */
    IQ request(IQ iq) throws XMPPException {
        PacketCollector answers = connection.createPacketCollector(new PacketIDFilter(iq.getPacketID()));
        try {
            connection.sendPacket(iq);
            IQ answer = (IQ) answers.nextResult(Gateway.PATIENCE_MS);
            if (answer == null) {
                throw new XMPPException("no answer to " + iq.toXML());
            }
            if (answer.getType() == IQ.Type.ERROR) {
                throw new XMPPException(answer.getError());
            }
            return answer;
        } finally {
            answers.cancel();
        }
    }

    void send(Packet packet) {
        connection.sendPacket(packet);
    }

    /** The forks' requests: one element in a namespace of their own, with a blank behind it. */
    static IQ forkRequest(String name, String content) {
        IQ iq = new IQ() {
            @Override
            public String getChildElementXML() {
                return "<" + name + " xmlns=\"androidpn:iq:" + name + "\">" + content + "</" + name + "> ";
            }
        };
        iq.setType(IQ.Type.SET);
        return iq;
    }

    /** From here on an error starts androidpn's reconnection, its first tries this far apart. */
    void reconnectEvery(long millis) {
        reconnectMillis = millis;
    }

    /** Leaves as the app does when its service ends. */
    void quit() {
        connection.disconnect();
        if (reconnection != null) {
            reconnection.interrupt();
        }
    }

    XMPPConnection connection() {
        return connection;
    }

    Notification next() throws InterruptedException {
        Notification notification = inbox.poll(Gateway.PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (notification == null) {
            throw new AssertionError("no push came; last trouble: " + trouble);
        }
        return notification;
    }

    /** The next to come is this push. */
    void awaits(Gateway.Accepted push, String title) throws InterruptedException {
        Notification got = next();
        Check.equal("title of the next push", title, got.title());
        Check.equal("id of " + title, push.id(), got.id());
    }

    /** Everybody connected has got a push, so none of them is held any more as one who has only just come. */
    static void reached(Gateway gateway, Phone... phones) throws Exception {
        Gateway.Accepted push = gateway.push("*", "reached");
        for (Phone phone : phones) {
            phone.awaits(push, "reached");
        }
    }

    String nextEnding() throws InterruptedException {
        String ending = endings.poll(Gateway.PATIENCE_MS, TimeUnit.MILLISECONDS);
        if (ending == null) {
            throw new AssertionError("the connection is dead and the client was not told");
        }
        return ending;
    }

    @Override
    public void connectionClosed() {
        endings.add("closed");
    }

    @Override
    public void connectionClosedOnError(Exception error) {
        if (connection != null && connection.isConnected()) {
            connection.disconnect();
        }
        if (reconnectMillis > 0 && reconnection == null) {
            reconnection = new Thread(this::comeBack, "reconnection of " + user);
            reconnection.setDaemon(true);
            reconnection.start();
        }
        endings.add(String.valueOf(error));
    }

    /** androidpn's reconnection thread: tries for ever, does nothing while all is well, and never ends. */
    private void comeBack() {
        try {
            while (true) {
                Thread.sleep(reconnectMillis);
                try {
                    if (!connection.isConnected()) {
                        connect();
                    }
                    if (!connection.isAuthenticated()) {
                        login();
                    }
                } catch (XMPPException | IllegalStateException error) {
                    trouble = String.valueOf(error);
                }
            }
        } catch (InterruptedException end) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void reconnectingIn(int seconds) {
    }

    @Override
    public void reconnectionSuccessful() {
    }

    @Override
    public void reconnectionFailed(Exception error) {
    }

    private static final class NotificationIQ extends IQ {
        private final Notification content;

        NotificationIQ(Notification content) {
            this.content = content;
        }

        @Override
        public String getChildElementXML() {
            return "<notification xmlns=\"androidpn:iq:notification\"/>";
        }
    }

    private static final class NotificationProvider implements IQProvider {
        @Override
        public IQ parseIQ(XmlPullParser parser) throws Exception {
            Map<String, String> fields = new HashMap<>();
            for (int event = parser.next();
                    event != XmlPullParser.END_TAG || !"notification".equals(parser.getName());
                    event = parser.next()) {
                if (event == XmlPullParser.START_TAG) {
                    String name = parser.getName();
                    fields.put(name, parser.nextText());
                }
            }
            return new NotificationIQ(new Notification(
                    fields.get("id"), fields.get("title"), fields.get("message"), fields.get("uri")));
        }
    }
}
